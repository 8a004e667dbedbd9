/**
 * How to reach the API server and who we are there. Inside a cluster the mounted service account is read directly, since
 * loading client-node's KubeConfig costs some 80 MB; outside, KubeConfig reads kubeconfig files with all their ways to
 * authenticate. Invariant: nobody's current context is used unless the caller asked for kubeconfig.
 */
import { readFile } from 'node:fs/promises'
import { isIPv6 } from 'node:net'

export interface Credentials {
  readonly headers: Readonly<Record<string, string>>
  readonly tls: {
    readonly ca?: string
    readonly cert?: string
    readonly key?: string
    readonly servername?: string
    readonly rejectUnauthorized?: boolean
  }
}

export interface Connection {
  /** Base address, such as https://10.96.0.1:443, without a slash at its end. */
  readonly server: string
  /** HTTP proxy in front of the API server. */
  readonly proxyUrl?: string
  /** Namespace of the context or of the pod. */
  readonly namespace?: string
  /** Reads the credentials as they are now: tokens and certificates are renewed while the process runs. */
  credentials(): Promise<Credentials>
}

const serviceAccountFolder = '/var/run/secrets/kubernetes.io/serviceaccount'

export interface ConnectionOptions {
  /** Path of a kubeconfig file; without it and without a context the service account of the pod is used, if there is one. */
  readonly kubeconfig?: string
  /** Context of the kubeconfig; its current one if absent. */
  readonly context?: string
  readonly env?: NodeJS.ProcessEnv
}

/** Throws a sentence for the person who starts the process when there is no way to the API server. */
export async function loadConnection(options: ConnectionOptions = {}): Promise<Connection> {
  const env = options.env ?? process.env
  const wantsKubeconfig = options.kubeconfig !== undefined || options.context !== undefined
  if (!wantsKubeconfig && env['KUBERNETES_SERVICE_HOST'] && env['KUBERNETES_SERVICE_PORT']) {
    return inCluster(env['KUBERNETES_SERVICE_HOST'], env['KUBERNETES_SERVICE_PORT'])
  }
  return fromKubeconfig(options)
}

async function inCluster(host: string, port: string): Promise<Connection> {
  const namespace = await readFile(`${serviceAccountFolder}/namespace`, 'utf8').catch(() => undefined)
  return {
    server: `https://${isIPv6(host) ? `[${host}]` : host}:${port}`,
    ...(namespace !== undefined && { namespace: namespace.trim() }),
    async credentials() {
      const [token, ca] = await Promise.all([
        readFile(`${serviceAccountFolder}/token`, 'utf8'),
        readFile(`${serviceAccountFolder}/ca.crt`, 'utf8'),
      ])
      return { headers: { authorization: `Bearer ${token.trim()}` }, tls: { ca } }
    },
  }
}

async function fromKubeconfig(options: ConnectionOptions): Promise<Connection> {
  const { KubeConfig } = await import('@kubernetes/client-node/dist/config.js')
  const config = new KubeConfig()
  if (options.kubeconfig !== undefined) config.loadFromFile(options.kubeconfig)
  else config.loadFromDefault()
  if (options.context !== undefined) {
    if (config.getContextObject(options.context) === null) {
      throw new Error(`the kubeconfig has no context ${options.context}; kubectl config get-contexts lists them`)
    }
    config.setCurrentContext(options.context)
  }
  const cluster = config.getCurrentCluster()
  if (cluster === null) throw new Error('the kubeconfig has no current context; name one')
  if (cluster.proxyUrl?.startsWith('socks')) throw new Error('a SOCKS proxy in front of the API server cannot be used')
  const namespace = config.getContextObject(config.getCurrentContext())?.namespace
  return {
    server: cluster.server.replace(/\/+$/, ''),
    ...(cluster.proxyUrl !== undefined && { proxyUrl: cluster.proxyUrl }),
    ...(namespace !== undefined && { namespace }),
    async credentials() {
      const applied: AppliedOptions = {}
      await config.applyToHTTPSOptions(applied)
      const headers: Record<string, string> = {}
      for (const [name, value] of Object.entries(applied.headers ?? {})) headers[name.toLowerCase()] = String(value)
      if (applied.auth) headers['authorization'] = `Basic ${Buffer.from(applied.auth).toString('base64')}`
      return {
        headers,
        tls: {
          ...(applied.ca !== undefined && { ca: String(applied.ca) }),
          ...(applied.cert !== undefined && { cert: String(applied.cert) }),
          ...(applied.key !== undefined && { key: String(applied.key) }),
          ...(applied.servername !== undefined && { servername: applied.servername }),
          ...(applied.rejectUnauthorized !== undefined && { rejectUnauthorized: applied.rejectUnauthorized }),
        },
      }
    },
  }
}

/** The fields of Node's HTTPS options that KubeConfig fills in. */
interface AppliedOptions {
  headers?: Record<string, unknown>
  auth?: string
  ca?: string | Buffer
  cert?: string | Buffer
  key?: string | Buffer
  servername?: string
  rejectUnauthorized?: boolean
}
