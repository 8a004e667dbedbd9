/**
 * One call over one checked, trusted connection: it ends in time, its answer is counted while it is read, and it never
 * goes to an address that was not judged. Redirects are answers here; who may follow them is decided above.
 */
import { isIP } from 'node:net'
import { Agent, buildConnector } from 'undici'
import { ScmError } from '../types.ts'
import { type AddressRules, addressRefused, checkedLookup, isAllowedAddress, type Resolve } from './addresses.ts'
import { networkFailure } from './failures.ts'
import { trustContext } from './trust.ts'

export interface Timeouts {
  readonly connectMs: number
  /** From the request to the first byte of the answer. */
  readonly headersMs: number
  /** Between two pieces of the answer. */
  readonly bodyMs: number
  /** The whole call. */
  readonly totalMs: number
}

export const defaultTimeouts: Timeouts = { connectMs: 10_000, headersMs: 20_000, bodyMs: 20_000, totalMs: 60_000 }

export interface Call {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  readonly signal: AbortSignal
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Buffer
}

export interface Transport {
  /** Throws ScmError for everything that the network, TLS or an oversized answer does. */
  send(call: Call): Promise<Answer>
  close(): Promise<void>
}

export interface TransportOptions extends AddressRules {
  readonly ca?: string | undefined
  readonly timeouts?: Partial<Timeouts> | undefined
  /** Bytes of an answer's body. */
  readonly bodyLimit?: number
  readonly resolve?: Resolve | undefined
}

export function createTransport(options: TransportOptions): Transport {
  const timeouts = { ...defaultTimeouts, ...options.timeouts }
  const bodyLimit = options.bodyLimit ?? 10 * 1024 * 1024
  const agent = new Agent({
    connect: checkedConnector(options, timeouts.connectMs),
    headersTimeout: timeouts.headersMs,
    bodyTimeout: timeouts.bodyMs,
    connections: 10,
    keepAliveTimeout: 20_000,
    maxHeaderSize: 64 * 1024,
  })

  async function send(call: Call): Promise<Answer> {
    const url = new URL(call.url)
    const signal = AbortSignal.any([call.signal, AbortSignal.timeout(timeouts.totalMs)])
    try {
      const reply = await agent.request({
        origin: url.origin,
        path: url.pathname + url.search,
        method: call.method,
        headers: call.headers,
        body: call.body ?? null,
        signal,
      })
      const headers = headersOf(reply.headers)
      return { status: reply.statusCode, headers, body: await bounded(reply.body, bodyLimit, url.host) }
    } catch (error) {
      throw networkFailure(error, url.host, call.signal)
    }
  }

  return { send, close: () => agent.destroy() }
}

function checkedConnector(options: TransportOptions, timeout: number): buildConnector.connector {
  const secureContext = trustContext(options.ca)
  const rules = {
    allowedPrivateNetworks: options.allowedPrivateNetworks,
    ...(options.resolve ? { resolve: options.resolve } : {}),
  }
  const connect = buildConnector({
    timeout,
    lookup: checkedLookup(rules),
    ...(secureContext ? { secureContext } : {}),
  })
  return (target, callback) => {
    // Sockets do not look up an address that is written in the URL, so it is judged here.
    const literal = target.hostname.replace(/^\[(.*)\]$/, '$1')
    if (isIP(literal) && !isAllowedAddress(literal, rules)) return callback(addressRefused(literal), null)
    connect(target, callback)
  }
}

async function bounded(body: AsyncIterable<Buffer>, limit: number, host: string): Promise<Buffer> {
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of body) {
    size += piece.byteLength
    // Leaving the loop destroys the stream and with it the connection.
    if (size > limit)
      throw new ScmError(
        'UnexpectedReply',
        `${host} answered with more than ${limit / 1024 / 1024} MB. It was not read.`,
      )
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}

function headersOf(raw: Record<string, string | string[] | undefined>): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(raw)) {
    if (value === undefined) continue
    for (const one of Array.isArray(value) ? value : [value]) headers.append(name, one)
  }
  return headers
}
