/**
 * The HTTP layer that every code host shares: limiter, conditional requests, redirects within one origin, a few retries
 * of calls that may be repeated, and metrics. It knows nothing of any provider; a status code is an answer, not an error.
 */
import { setTimeout as wait } from 'node:timers/promises'
import { type Priority, ScmError } from '../types.ts'
import { createEtagCache } from './etags.ts'
import type { Limiter } from './limiter.ts'
import { limitsOf } from './limits.ts'
import { sameOrigin } from './paging.ts'
import { type Answer, type Call, createTransport, type TransportOptions } from './transport.ts'

export interface HttpMetrics {
  /** One answered or failed call. `status` is 0 when there was no answer. */
  observeCall(connection: string, method: string, status: number, seconds: number): void
  /** Calls that the host still allows in its window, and in the whole of it where it says so. */
  setRemaining(connection: string, remaining: number, limit: number | undefined): void
}

export interface HttpRequest extends Call {
  readonly priority: Priority
  /** The host counts this call against another budget than the credential's, so that its limits say nothing about it. */
  readonly ownBudget?: boolean | undefined
}

export interface HttpClient {
  /** Throws ScmError when there is no answer that can be used; every status code below 300 and above 399 is returned. */
  request(request: HttpRequest): Promise<Answer>
  close(): Promise<void>
}

export interface HttpOptions extends TransportOptions {
  /** namespace/name, for metrics. */
  readonly connection: string
  readonly limiter: Limiter
  readonly metrics?: HttpMetrics | undefined
  readonly now: () => Date
  /** First pause before a repetition; it doubles, and a random part of it is used. */
  readonly retryBaseMs?: number | undefined
}

type Unprioritized = Omit<HttpRequest, 'priority'>

const mostRetries = 2
const mostRedirects = 5
/** A POST that failed may have worked: repeating it could make a second comment or token. */
const repeatable = new Set(['GET', 'HEAD', 'DELETE'])
const passing = new Set([500, 502, 503, 504])

export function createHttpClient(options: HttpOptions): HttpClient {
  const transport = createTransport(options)
  const cache = createEtagCache()
  const retryBaseMs = options.retryBaseMs ?? 250

  async function send({ ownBudget, ...call }: Unprioritized): Promise<Answer> {
    const started = performance.now()
    const observe = (status: number) =>
      options.metrics?.observeCall(options.connection, call.method, status, (performance.now() - started) / 1000)
    try {
      const answer = await transport.send(call)
      observe(answer.status)
      const limits = limitsOf(answer.headers, options.now())
      if (!ownBudget) options.limiter.observe(limits)
      if (!ownBudget && limits.remaining !== undefined)
        options.metrics?.setRemaining(options.connection, limits.remaining, limits.limit)
      if (limits.retryAt && answer.status >= 400) options.limiter.pause(limits.retryAt)
      return answer
    } catch (error) {
      observe(0)
      throw error
    }
  }

  async function sendConditionally(call: Unprioritized): Promise<Answer> {
    if (call.method !== 'GET') return send(call)
    // A different Accept header asks for a different document at the same address.
    const key = `${call.headers['accept'] ?? ''} ${call.url}`
    const known = cache.get(key)
    const answer = await send(known ? { ...call, headers: { ...call.headers, 'if-none-match': known.etag } } : call)
    if (answer.status === 304 && known) return { ...known, headers: withFresh(known.headers, answer.headers) }
    const etag = answer.headers.get('etag')
    if (answer.status === 200 && etag) cache.set(key, { ...answer, etag })
    return answer
  }

  async function sendFollowing(call: Unprioritized): Promise<Answer> {
    let url = call.url
    for (let step = 0; step <= mostRedirects; step++) {
      const answer = await sendConditionally({ ...call, url })
      if (answer.status < 300 || answer.status > 399 || answer.status === 304) return answer
      const location = answer.headers.get('location')
      if (call.method !== 'GET' || location === null) throw redirected()
      url = sameOrigin(location, url)
    }
    throw redirected()
  }

  async function request({ priority, ...call }: HttpRequest): Promise<Answer> {
    for (let attempt = 0; ; attempt++) {
      const last = attempt >= mostRetries || !repeatable.has(call.method)
      try {
        const answer = await options.limiter.run(priority, call.signal, () => sendFollowing(call))
        if (last || !passing.has(answer.status) || answer.headers.has('retry-after')) return answer
      } catch (error) {
        const worthwhile = error instanceof ScmError && error.reason === 'HostUnreachable'
        if (last || !worthwhile || call.signal.aborted) throw error
      }
      await wait(Math.random() * retryBaseMs * 2 ** attempt, undefined, { signal: call.signal })
    }
  }

  return { request, close: transport.close }
}

/** The confirmed answer keeps its own headers but takes limits and the date from the confirmation. */
function withFresh(known: Headers, fresh: Headers): Headers {
  const headers = new Headers(known)
  for (const [name, value] of fresh) if (name !== 'link' && name !== 'content-type') headers.set(name, value)
  return headers
}

function redirected(): ScmError {
  return new ScmError(
    'UnexpectedReply',
    'The code host redirects instead of answering, for example to a page for signing in. Check the url of the connection.',
  )
}
