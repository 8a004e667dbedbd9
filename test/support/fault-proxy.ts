/**
 * Stands between a client and the real API server and does what networks and servers do on bad days: cuts, freezes,
 * refuses, loses answers, hides or repeats events. Invariant: without a fault in force it changes nothing.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { Agent, request } from 'undici'
import type { Connection } from '../../operator/kube/connection.ts'

export interface SeenRequest {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly isWatch: boolean
}

export type Fault =
  /** Answers itself and forwards nothing. */
  | { readonly do: 'refuse'; readonly status: number; readonly reason: string; readonly retryAfterSeconds?: number }
  /** Forwards, lets the server act, and loses the answer. */
  | { readonly do: 'lose-answer' }
  /** Forwards with other parameters, so that the server's own refusal can be had. */
  | { readonly do: 'rewrite'; readonly query: Readonly<Record<string, string>> }
  /** Closes the connection without forwarding. */
  | { readonly do: 'cut' }

export interface FaultProxy {
  readonly connection: Connection
  /** All requests so far, in order. */
  readonly seen: readonly SeenRequest[]
  /** The fault meets the next `times` requests that match (Infinity: until the returned function is called). */
  inject(fault: Fault, matches: (request: SeenRequest) => boolean, times?: number): () => void
  /** Passes each event line of a watch: return it changed, several times, or not at all. Undefined takes the hook away. */
  onWatchLine(hook: ((line: string, request: SeenRequest) => readonly string[]) | undefined): void
  /** Breaks every connection that is open now. */
  cutAll(): void
  /** Nothing moves any more in either direction, and no connection is closed, as behind a firewall that drops packets. */
  freeze(): void
  thaw(): void
  stop(): Promise<void>
}

export async function startFaultProxy(upstream: Connection): Promise<FaultProxy> {
  const { headers, tls } = await upstream.credentials()
  const agent = new Agent({ connect: tls, bodyTimeout: 0, headersTimeout: 0 })
  const seen: SeenRequest[] = []
  const faults: { fault: Fault; matches: (request: SeenRequest) => boolean; left: number }[] = []
  let hook: ((line: string, request: SeenRequest) => readonly string[]) | undefined
  let frozen: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined

  function faultFor(call: SeenRequest): Fault | undefined {
    const entry = faults.find(({ matches, left }) => left > 0 && matches(call))
    if (entry !== undefined) entry.left--
    return entry?.fault
  }

  async function handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    await frozen?.promise
    const url = new URL(incoming.url ?? '/', 'http://proxy')
    const isWatch = url.searchParams.get('watch') === 'true'
    const call = { method: incoming.method ?? 'GET', path: url.pathname, query: url.searchParams, isWatch }
    seen.push(call)
    const fault = faultFor(call)
    if (fault?.do === 'cut') return void outgoing.destroy()
    if (fault?.do === 'refuse') return refuse(outgoing, fault)
    const given = new AbortController()
    outgoing.on('close', () => given.abort())
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    if (fault?.do === 'rewrite')
      for (const [name, value] of Object.entries(fault.query)) url.searchParams.set(name, value)
    const answer = await request(`${upstream.server}${url.pathname}${url.search}`, {
      dispatcher: agent,
      method: call.method as 'GET',
      headers: { ...headers, accept: 'application/json', ...contentType(incoming) },
      body: chunks.length === 0 ? null : Buffer.concat(chunks),
      signal: given.signal,
    })
    if (fault?.do === 'lose-answer') {
      await answer.body.dump()
      return void outgoing.destroy()
    }
    outgoing.writeHead(answer.statusCode, { 'content-type': 'application/json' })
    if (!isWatch) {
      outgoing.end(await answer.body.text())
      return
    }
    outgoing.flushHeaders()
    for await (const line of createInterface({ input: answer.body, crlfDelay: Number.POSITIVE_INFINITY })) {
      await frozen?.promise
      for (const passed of hook?.(line, call) ?? [line]) outgoing.write(`${passed}\n`)
    }
    outgoing.end()
  }

  const server = createServer((incoming, outgoing) => {
    handle(incoming, outgoing).catch(() => outgoing.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo

  return {
    connection: {
      server: `http://127.0.0.1:${port}`,
      credentials: async () => ({ headers: {}, tls: {} }),
    },
    seen,
    inject(fault, matches, times = 1) {
      const entry = { fault, matches, left: times }
      faults.push(entry)
      return () => {
        entry.left = 0
      }
    },
    onWatchLine(next) {
      hook = next
    },
    cutAll: () => server.closeAllConnections(),
    freeze() {
      frozen ??= Promise.withResolvers<void>()
    },
    thaw() {
      frozen?.resolve()
      frozen = undefined
    },
    async stop() {
      frozen?.resolve()
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
      await agent.destroy()
    },
  }
}

function refuse(outgoing: ServerResponse, fault: Extract<Fault, { do: 'refuse' }>): void {
  const { status, reason, retryAfterSeconds } = fault
  const headers = { 'content-type': 'application/json', connection: 'close' }
  const wait = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }
  const body = {
    kind: 'Status',
    apiVersion: 'v1',
    status: 'Failure',
    reason,
    message: `refused by the test: ${reason}`,
    code: status,
  }
  outgoing.writeHead(status, { ...headers, ...wait }).end(JSON.stringify(body))
}

function contentType(incoming: IncomingMessage): Record<string, string> {
  const type = incoming.headers['content-type']
  return type === undefined ? {} : { 'content-type': type }
}
