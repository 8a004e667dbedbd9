/** /metrics for Prometheus, on a port of its own. */
import type { Registry } from 'prom-client'
import { createPlainServer, type PlainServer } from './http.ts'

export function createMetricsServer(options: { port: number; host?: string; registry: Registry }): PlainServer {
  const { registry, ...listen } = options
  return createPlainServer({
    ...listen,
    routes: {
      '/metrics': async () => ({ status: 200, contentType: registry.contentType, body: await registry.metrics() }),
    },
  })
}
