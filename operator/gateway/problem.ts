/** Errors of the HTTP interface as problem+json (RFC 9457). A problem says what was wrong and never what exists. */
import type { Response } from 'express'

export interface Problem {
  readonly status: number
  /** A constant for programs. */
  readonly reason: string
  /** A sentence for people. */
  readonly detail: string
  /** When trying again makes sense. */
  readonly retryAfterSeconds?: number
}

export class ProblemError extends Error {
  override name = 'ProblemError'
  readonly problem: Problem

  constructor(problem: Problem, options?: ErrorOptions) {
    super(problem.detail, options)
    this.problem = problem
  }
}

export function writeProblemHead(response: Response, { status, retryAfterSeconds }: Problem): Response {
  if (status === 401) response.setHeader('www-authenticate', 'Bearer')
  if (retryAfterSeconds !== undefined) response.setHeader('retry-after', String(retryAfterSeconds))
  return response.status(status).type('application/problem+json')
}

export function problemBody({ status, reason, detail }: Problem): string {
  return `${JSON.stringify({ type: 'about:blank', status, reason, detail })}\n`
}

export function sendProblem(response: Response, problem: Problem): void {
  writeProblemHead(response, problem).send(problemBody(problem))
}
