/** A plain HTTP listener for probes and metrics. Invariant: GET only, small requests only, and it ends when it is told to. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface PlainAnswer {
  readonly status: number
  readonly contentType: string
  readonly body: string
}

export interface PlainServer {
  /** Resolves to the port, which the system chooses when 0 was asked for. Rejects when the port is taken. */
  start(): Promise<number>
  stop(): Promise<void>
}

export interface PlainServerOptions {
  readonly port: number
  /** All addresses if absent. */
  readonly host?: string
  /** By path. */
  readonly routes: Readonly<Record<string, () => Promise<PlainAnswer>>>
}

export function createPlainServer(options: PlainServerOptions): PlainServer {
  const routes = new Map(Object.entries(options.routes))
  const server = createServer(
    { requestTimeout: 10_000, headersTimeout: 10_000, maxHeaderSize: 8192 },
    (request, response) => {
      const path = (request.url ?? '/').split('?', 1)[0] ?? '/'
      const route = request.method === 'GET' ? routes.get(path) : undefined
      const answer = route === undefined ? notFound() : route().catch(failure)
      void answer.then(({ status, contentType, body }) => {
        response.writeHead(status, { 'content-type': contentType, 'cache-control': 'no-store' }).end(body)
      })
    },
  )
  server.maxConnections = 100

  return {
    start: () =>
      new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen(options.port, options.host, () => {
          server.off('error', reject)
          resolve((server.address() as AddressInfo).port)
        })
      }),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function notFound(): Promise<PlainAnswer> {
  return { status: 404, contentType: 'text/plain', body: 'not found\n' }
}

function failure(): PlainAnswer {
  return { status: 500, contentType: 'text/plain', body: 'the check itself failed\n' }
}
