/** The HTTPS listener: limits of time, size and number on everything that comes before a handler. */
import { createServer, type Server } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Express } from 'express'
import type { CertificatePair } from './certificate.ts'

export interface HttpsListener {
  readonly port: number
  setCertificate(pair: CertificatePair): void
  /** Takes no new requests; resolves when those in hand are answered, or at once when `hurry` aborts. */
  stop(hurry?: AbortSignal): Promise<void>
}

export interface ListenerLimits {
  /** How long the TLS handshake, the headers and the whole request may take. */
  readonly handshakeMs: number
  readonly headersMs: number
  readonly requestMs: number
  readonly headerBytes: number
  readonly connections: number
}

export const standardListenerLimits: ListenerLimits = {
  handshakeMs: 10_000,
  headersMs: 10_000,
  requestMs: 120_000,
  headerBytes: 16 * 1024,
  connections: 1_000,
}

export async function listenHttps(options: {
  readonly app: Express
  readonly port: number
  readonly certificate: CertificatePair
  readonly limits: ListenerLimits
}): Promise<HttpsListener> {
  const { app, certificate, limits } = options
  const context = ({ cert, key }: CertificatePair) => ({ cert, key, minVersion: 'TLSv1.2' as const })
  const server = createServer(
    {
      ...context(certificate),
      handshakeTimeout: limits.handshakeMs,
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      maxHeaderSize: limits.headerBytes,
      keepAliveTimeout: 5_000,
      connectionsCheckingInterval: Math.min(2_000, limits.headersMs),
    },
    app,
  )
  server.maxConnections = limits.connections
  server.on('tlsClientError', (_error: Error, socket: Socket) => socket.destroy())
  const port = await listen(server, options.port)
  return {
    port,
    setCertificate: (pair) => server.setSecureContext(context(pair)),
    stop: (hurry) => stop(server, hurry),
  }
}

/** Resolves with the port, which the system chooses for 0. */
function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, () => {
      server.off('error', reject)
      resolve((server.address() as AddressInfo).port)
    })
  })
}

function stop(server: Server, hurry: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeIdleConnections()
    const now = () => server.closeAllConnections()
    if (hurry?.aborted) now()
    hurry?.addEventListener('abort', now, { once: true })
  })
}
