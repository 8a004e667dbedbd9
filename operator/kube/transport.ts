/**
 * HTTP to the API server over one pool of kept-alive connections. Invariant: every request has bounded waits, credentials
 * are read again while the process runs, and only what certainly was not carried out is sent again by itself.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, type Dispatcher, ProxyAgent, request } from 'undici'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Connection, Credentials } from './connection.ts'
import { errorFromAnswer, KubeError } from './errors.ts'

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
  readonly body?: unknown
  readonly contentType?: string
  readonly signal?: AbortSignal | undefined
  /** For the metrics only. */
  readonly verb: string
  readonly resource: string
}

export interface Transport {
  /** The parsed JSON answer. Throws KubeError, or the AbortError of the signal. */
  json(request: ApiRequest): Promise<unknown>
  /** The body of a success as it arrives. Its silence is the caller's to bound. */
  stream(request: ApiRequest): Promise<AsyncIterable<Buffer>>
  close(): Promise<void>
}

export interface TransportOptions {
  readonly connection: Connection
  readonly metrics: Metrics
  /** How long an answer may take to begin, and to go on. */
  readonly timeoutMs?: number
  /** Connections for requests; each watch has one of its own beside them. */
  readonly connections?: number
}

const credentialsAgeMs = 30_000
const keepAliveMs = 60_000
const attempts = 4
const longestWaitMs = 10_000

interface Pool {
  readonly fingerprint: string
  readonly requests: Dispatcher
  readonly watches: Dispatcher
}

export function createTransport(options: TransportOptions): Transport {
  const { connection, metrics } = options
  const timeout = options.timeoutMs ?? 30_000
  let credentials: { value: Credentials; readAt: number } | undefined
  let pool: Pool | undefined

  async function currentCredentials(): Promise<Credentials> {
    if (credentials === undefined || performance.now() - credentials.readAt > credentialsAgeMs) {
      credentials = { value: await readCredentials(connection), readAt: performance.now() }
    }
    return credentials.value
  }

  function currentPool(tls: Credentials['tls']): Pool {
    const fingerprint = JSON.stringify(tls)
    if (pool?.fingerprint === fingerprint) return pool
    const old = pool
    pool = openPool(connection, tls, options.connections ?? 32, timeout)
    // A renewed certificate: what is under way on the old connections ends in peace.
    if (old !== undefined) void Promise.allSettled([old.requests.close(), old.watches.close()])
    return pool
  }

  async function send(call: ApiRequest, watch: boolean): Promise<Dispatcher.ResponseData> {
    const { headers, tls } = await currentCredentials()
    const { requests, watches } = currentPool(tls)
    return await request(`${connection.server}${call.path}${queryOf(call.query)}`, {
      dispatcher: watch ? watches : requests,
      method: call.method,
      headers: {
        ...headers,
        accept: 'application/json',
        'user-agent': 'scanfleet',
        ...(call.body !== undefined && { 'content-type': call.contentType ?? 'application/json' }),
      },
      body: call.body === undefined ? null : JSON.stringify(call.body),
      signal: call.signal ?? null,
      headersTimeout: timeout,
      bodyTimeout: watch ? 0 : timeout,
    })
  }

  /** One attempt, with everything but an abort narrowed to a KubeError. */
  async function attempt<R>(call: ApiRequest, watch: boolean, read: (answer: Dispatcher.ResponseData) => Promise<R>) {
    const begin = performance.now()
    const labels = { verb: call.verb, resource: call.resource }
    try {
      const answer = await send(call, watch)
      metrics.apiRequests.inc({ ...labels, code: String(answer.statusCode) })
      if (answer.statusCode >= 300) {
        const retryAfter = answer.headers['retry-after']
        throw errorFromAnswer(answer.statusCode, await answer.body.text(), first(retryAfter))
      }
      return await read(answer)
    } catch (error) {
      // A token may have been replaced since it was read.
      if (error instanceof KubeError && error.status === 401) credentials = undefined
      if (error instanceof KubeError || call.signal?.aborted) throw error
      metrics.apiRequests.inc({ ...labels, code: 'none' })
      const code = codeOf(error)
      throw new KubeError(0, 'Unreachable', `no answer from the API server (${code})`, undefined, { cause: error })
    } finally {
      if (!watch) metrics.apiRequestSeconds.observe(labels, (performance.now() - begin) / 1000)
    }
  }

  async function withRetries<R>(call: ApiRequest, run: () => Promise<R>): Promise<R> {
    for (let number = 1; ; number++) {
      try {
        return await run()
      } catch (error) {
        if (!(error instanceof KubeError) || number === attempts) throw error
        const wait = waitBeforeRetry(error, call.method, number)
        if (wait === undefined) throw error
        await sleep(wait, undefined, call.signal === undefined ? {} : { signal: call.signal })
      }
    }
  }

  return {
    json: (call) =>
      withRetries(call, () => attempt(call, false, async (answer) => JSON.parse(await answer.body.text()) as unknown)),
    stream: (call) => attempt(call, true, async (answer) => answer.body as AsyncIterable<Buffer>),
    async close() {
      if (pool !== undefined) await Promise.allSettled([pool.requests.destroy(), pool.watches.destroy()])
    },
  }
}

/**
 * How long to wait before the same request may be sent again; undefined when it must not be. 401 and 429 were refused
 * before anything was done. After a lost connection only reads are repeated: a write may have happened, and its caller
 * finds that out by name or precondition.
 */
function waitBeforeRetry(error: KubeError, method: ApiRequest['method'], number: number): number | undefined {
  if (error.status === 401) return number === 1 ? 0 : undefined
  if (error.status === 429) {
    const asked = (error.retryAfterSeconds ?? 1) * 1000
    return asked > longestWaitMs ? undefined : asked + Math.random() * 250 * number
  }
  const lost = error.status === 0 || error.status === 503
  return method === 'GET' && lost && number < 3 ? Math.random() * 200 * number : undefined
}

async function readCredentials(connection: Connection): Promise<Credentials> {
  try {
    return await connection.credentials()
  } catch (error) {
    const text = `the credentials for the API server could not be read (${codeOf(error)})`
    throw new KubeError(0, 'Unreachable', text, undefined, { cause: error })
  }
}

function openPool(connection: Connection, tls: Credentials['tls'], connections: number, timeout: number): Pool {
  const common = { keepAliveTimeout: keepAliveMs, keepAliveMaxTimeout: keepAliveMs }
  const connect = { ...tls, timeout, keepAlive: true }
  const open = (limit: number | null): Dispatcher =>
    connection.proxyUrl === undefined
      ? new Agent({ ...common, connect, connections: limit })
      : new ProxyAgent({ ...common, uri: connection.proxyUrl, requestTls: connect, connections: limit })
  return { fingerprint: JSON.stringify(tls), requests: open(connections), watches: open(null) }
}

function queryOf(query: ApiRequest['query']): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined) parameters.set(name, String(value))
  }
  const text = parameters.toString()
  return text === '' ? '' : `?${text}`
}

function first(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  const code = (error as NodeJS.ErrnoException).code ?? (error.cause as NodeJS.ErrnoException | undefined)?.code
  return code ?? error.name
}
