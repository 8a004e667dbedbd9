/**
 * Octokit without its plugins, on our own HTTP layer: octokit knows routes, parameters and encoding; time limits,
 * limiter, conditional requests and trust are ours. Every answer passes a schema, every refusal becomes a `Refusal`.
 */

import { Octokit } from '@octokit/core'
import type { z } from 'zod'
import type { HttpClient } from '../http/client.ts'
import type { Limiter } from '../http/limiter.ts'
import type { Priority } from '../types.ts'
import { notTheApi, Refusal, rateLimitEnd } from './failures.ts'

/** Who waits for the call and how urgent it is. */
export interface Caller {
  readonly signal: AbortSignal
  readonly priority: Priority
  readonly ownBudget?: boolean
}

/** Octokit's typed request function: `request('GET /orgs/{org}/repos', {org})`. */
export type Request = Octokit['request']

export interface Reply<T> {
  readonly data: T
  readonly headers: Headers
}

export interface GitHubClient {
  readonly apiUrl: string
  /** Calls with this Authorization header, on behalf of this caller. */
  as(authorization: string, caller: Caller): Request
  /** Waits for an answer and checks it. Throws Refusal for 400 and above, ScmError for everything else. */
  read<S extends z.ZodType>(schema: S, answer: Promise<OctokitAnswer>): Promise<Reply<z.output<S>>>
  close(): Promise<void>
}

interface OctokitAnswer {
  readonly status: number
  readonly data: unknown
  readonly headers: Readonly<Record<string, string | number | undefined>>
}

export interface ClientOptions {
  /** Base address of the REST API, without a slash at its end. */
  readonly apiUrl: string
  readonly http: HttpClient
  readonly limiter: Limiter
  readonly log: { warn(fields: object, message: string): void }
  readonly now: () => Date
}

export function createGitHubClient(options: ClientOptions): GitHubClient {
  const announce = (message: string) => options.log.warn({ message }, 'code host announces a change of its API')
  const quiet = () => undefined
  const octokit = new Octokit({
    baseUrl: options.apiUrl,
    userAgent: 'scanfleet',
    log: { debug: quiet, info: quiet, warn: announce, error: announce },
  })

  function as(authorization: string, caller: Caller): Request {
    return octokit.request.defaults({
      headers: {
        authorization,
        accept: 'application/vnd.github+json',
        // Pinned: octokit sends none, and older servers know only this one.
        'x-github-api-version': '2022-11-28',
      },
      request: {
        log: octokit.log,
        fetch: (url: string, init: FetchInit) => fetchThrough(options.http, url, init, caller),
      },
    })
  }

  async function read<S extends z.ZodType>(schema: S, answer: Promise<OctokitAnswer>): Promise<Reply<z.output<S>>> {
    const { status, data, headers } = await answer.catch((error: unknown) => {
      const refusal = refusalOf(error)
      if (!(refusal instanceof Refusal)) throw refusal
      const limited = rateLimitEnd(refusal, options.now())
      if (limited) options.limiter.pause(limited)
      throw refusal
    })
    const parsed = schema.safeParse(data)
    if (!parsed.success) throw notTheApi(status)
    return { data: parsed.data, headers: toHeaders(headers) }
  }

  return { apiUrl: options.apiUrl, as, read, close: () => options.http.close() }
}

interface FetchInit {
  readonly method: string
  readonly headers: Record<string, string>
  readonly body?: string
}

async function fetchThrough(http: HttpClient, url: string, init: FetchInit, caller: Caller): Promise<Response> {
  const answer = await http.request({
    method: init.method,
    url,
    headers: init.headers,
    ...(init.body === undefined ? {} : { body: init.body }),
    ...caller,
  })
  const empty = answer.status === 204 || answer.status === 205 || answer.status === 304
  return new Response(empty ? null : new Uint8Array(answer.body), { status: answer.status, headers: answer.headers })
}

/** Octokit wraps what our fetch throws, and everything from 400 on, into its RequestError. */
function refusalOf(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  if (!('response' in error) || !isAnswer(error.response)) return error.cause ?? error
  const { status, headers, data } = error.response
  const message = typeof data === 'object' && data !== null && 'message' in data ? data.message : ''
  return new Refusal(status, toHeaders(headers), typeof message === 'string' ? message : '')
}

function isAnswer(value: unknown): value is OctokitAnswer {
  return typeof value === 'object' && value !== null && 'status' in value && 'headers' in value
}

function toHeaders(headers: OctokitAnswer['headers']): Headers {
  return new Headers(
    Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, `${value}`]])),
  )
}
