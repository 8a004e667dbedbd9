/**
 * What the API server refused, as one narrow error. Invariant: it carries status, reason and the server's sentence and
 * never a body, a header or an address, so that it can be logged.
 */
import { z } from 'zod'

const longestMessage = 2048

export class KubeError extends Error {
  override name = 'KubeError'
  /** HTTP status; 0 when there was no answer. */
  readonly status: number
  /** Kubernetes' reason, such as AlreadyExists, Conflict, NotFound, Expired, Forbidden, Invalid; Unreachable without an answer. */
  readonly reason: string
  /** How long the server asks to wait. */
  readonly retryAfterSeconds?: number

  constructor(status: number, reason: string, message: string, retryAfterSeconds?: number, options?: ErrorOptions) {
    super(message.length > longestMessage ? `${message.slice(0, longestMessage)}…` : message, options)
    this.status = status
    this.reason = reason
    if (retryAfterSeconds !== undefined) this.retryAfterSeconds = retryAfterSeconds
  }
}

const statusSchema = z.object({
  kind: z.literal('Status'),
  message: z.string().optional(),
  reason: z.string().optional(),
  code: z.number().int().optional(),
  details: z.object({ retryAfterSeconds: z.number().nonnegative().optional() }).optional(),
})

/** The error of an answer that is not a success. `body` is read only when it is a Kubernetes Status. */
export function errorFromAnswer(status: number, body: string, retryAfterHeader?: string): KubeError {
  const parsed = statusSchema.safeParse(parseJson(body))
  const header = Number(retryAfterHeader)
  const retryAfter = retryAfterHeader !== undefined && Number.isFinite(header) && header >= 0 ? header : undefined
  if (!parsed.success) {
    const reason = reasons[status] ?? 'UnexpectedAnswer'
    return new KubeError(status, reason, `the API server answered with HTTP status ${status}`, retryAfter)
  }
  return errorFromStatus(parsed.data, status, retryAfter)
}

/** The error of an ERROR event of a watch, whose object is a Status. */
export function errorFromWatch(object: unknown): KubeError {
  const parsed = statusSchema.safeParse(object)
  if (!parsed.success) return new KubeError(500, 'UnexpectedAnswer', 'a watch sent an error that is no Status')
  return errorFromStatus(parsed.data, parsed.data.code ?? 500, undefined)
}

export function isNotFound(error: unknown): boolean {
  return error instanceof KubeError && error.status === 404
}

/** Another object has this name: for a create under a deterministic name that is success. */
export function isAlreadyExists(error: unknown): boolean {
  return error instanceof KubeError && error.status === 409 && error.reason === 'AlreadyExists'
}

/** A precondition failed or another writer was quicker: read again and decide again. */
export function isConflict(error: unknown): boolean {
  return error instanceof KubeError && error.status === 409 && error.reason !== 'AlreadyExists'
}

/** The resourceVersion or the continue token is too old. */
export function isExpired(error: unknown): boolean {
  return error instanceof KubeError && (error.status === 410 || error.reason === 'Expired' || error.reason === 'Gone')
}

export function isForbidden(error: unknown): boolean {
  return error instanceof KubeError && error.status === 403
}

/** The object breaks a rule of its schema; trying again changes nothing. */
export function isInvalid(error: unknown): boolean {
  return error instanceof KubeError && (error.status === 422 || error.status === 400)
}

/** The namespace is being deleted, so nothing can be created in it any more. */
export function isNamespaceTerminating(error: unknown): boolean {
  return error instanceof KubeError && error.status === 403 && error.message.includes('being terminated')
}

/** There was no answer at all. A write may or may not have happened. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof KubeError && error.status === 0
}

const reasons: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  410: 'Expired',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
}

function errorFromStatus(
  status: z.infer<typeof statusSchema>,
  code: number,
  retryAfter: number | undefined,
): KubeError {
  const reason = status.reason || reasons[code] || 'UnexpectedAnswer'
  const wait = retryAfter ?? status.details?.retryAfterSeconds
  return new KubeError(code, reason, status.message || `the API server answered with HTTP status ${code}`, wait)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
