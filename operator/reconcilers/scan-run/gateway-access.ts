/** Where scan pods find the gateway, what they trust it by, and the listeners that prove their fence. */
import type { KubeClient } from '../../kube/client.ts'
import { resources } from '../../kube/resources.ts'
import type { GatewayAccess } from './index.ts'

export interface GatewayAccessOptions {
  readonly client: KubeClient
  readonly namespace: string
  readonly service: string
  readonly port: number
  readonly canaryPort: number
  readonly tlsSecret: string
  /** Base address of the API server: it answers as long as anything works, and no scan pod may reach it. */
  readonly apiServer: string
}

/** The address of a Service and a certificate live long; they are read again this often, and after `invalidate`. */
const keepMs = 5 * 60_000

export function createGatewayAccess(options: GatewayAccessOptions): GatewayAccess & { invalidate(): void } {
  const { client, namespace, service, port, canaryPort, tlsSecret, apiServer } = options
  const address = cached(async () => {
    const ip = (await client.get(resources.services, namespace, service))?.spec.clusterIP
    if (!ip || ip === 'None') throw new Error(`the Service ${namespace}/${service} of the gateway has no address`)
    return ip
  })
  const ca = cached(async () => {
    const encoded = (await client.get(resources.secrets, namespace, tlsSecret))?.data?.['ca.crt']
    if (!encoded) throw new Error(`the Secret ${namespace}/${tlsSecret} of the gateway has no ca.crt`)
    return Buffer.from(encoded, 'base64').toString('utf8')
  })
  return {
    async endpoint() {
      return { host: `${service}.${namespace}.svc`, addresses: [await address.get()], port }
    },
    ca: () => ca.get(),
    async forbidden() {
      const { hostname, port: apiPort } = new URL(apiServer)
      return [
        { host: await address.get(), port: canaryPort },
        { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(apiPort || 443) },
      ]
    },
    invalidate() {
      address.forget()
      ca.forget()
    },
  }
}

/** Reads once for many callers, and again when the value is old. A failure is not kept. */
function cached<T>(read: () => Promise<T>): { get(): Promise<T>; forget(): void } {
  let value: Promise<T> | undefined
  let readAt = 0
  return {
    get() {
      if (value !== undefined && performance.now() - readAt < keepMs) return value
      readAt = performance.now()
      const reading = read()
      value = reading
      reading.catch(() => {
        if (value === reading) value = undefined
      })
      return reading
    },
    forget() {
      value = undefined
    },
  }
}
