/**
 * Configuration from flags and environment, read and checked once at the start. `--scan-namespace x` and
 * `SCANFLEET_SCAN_NAMESPACE=x` mean the same; the flag wins. Nothing else in the operator reads flags or environment.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import ipaddr from 'ipaddr.js'
import { z } from 'zod'

const port = z.coerce.number().int().min(0).max(65535)
const seconds = z.coerce.number().int().positive()
const name = z.string().regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, 'a Kubernetes name')
const list = z.string().transform((text) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
)
const networks = list.refine((items) => items.every((item) => ipaddr.isValidCIDR(item)), 'networks such as 10.0.0.0/8')

/** Options of both processes. */
const common = {
  namespace: name.describe('Namespace of the operator itself.'),
  podName: name.default('scanfleet').describe('Name of this pod, used as identity.'),
  watchNamespaces: list.default([]).describe('Namespaces to watch, separated by commas; all if empty.'),
  logLevel: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal'])
    .default('info')
    .describe('Least level that is logged.'),
  metricsPort: port.default(9090).describe('Port of /metrics over HTTP.'),
  healthPort: port.default(8081).describe('Port of /livez and /readyz over HTTP.'),
  shutdownSeconds: seconds.default(20).describe('How long work in hand may take after SIGTERM.'),
}

const controllerSchema = z.object({
  ...common,
  scanNamespace: name.describe('Namespace in which scan pods run. It must enforce Pod Security restricted.'),
  scannerImage: z.string().min(1).describe('Scanner image, by digest where a registry serves it.'),
  scannerImagePullPolicy: z
    .enum(['Always', 'IfNotPresent', 'Never'])
    .default('IfNotPresent')
    .describe('Pull policy of the scanner image.'),
  scannerImagePullSecrets: list.default([]).describe('Names of pull secrets in the scan namespace.'),
  gatewayService: name.describe('Name of the Service of the gateway in the namespace of the operator.'),
  gatewayPort: port.default(8443).describe('Port of that Service that takes results.'),
  gatewayTlsSecret: name
    .default('scanfleet-gateway-tls')
    .describe('Secret with the certificate of the gateway. The controller makes and renews it.'),
  manageGatewayTls: z
    .stringbool()
    .default(true)
    .describe('False when somebody else makes the certificate, for example cert-manager.'),
  fenceCanaryPort: port
    .default(8444)
    .describe('Port of the gateway that scan pods must not reach; proof of the fence.'),
  requireFence: z
    .stringbool()
    .default(true)
    .describe('False starts scans on clusters that do not enforce NetworkPolicies. Not for production.'),
  allowedPrivateNetworks: networks.default([]).describe('Private networks in which code hosts may lie; none if empty.'),
  maxConcurrentScans: z.coerce
    .number()
    .int()
    .min(0)
    .default(100)
    .describe('Scans that may run at once over all ManagedScans; 0 for no cap.'),
  leaseDurationSeconds: seconds.default(15).describe('How long a leader is trusted after its last sign of life.'),
  leaseRenewSeconds: seconds.default(10).describe('How long the leader tries to renew before it gives up.'),
  leaseRetrySeconds: seconds.default(2).describe('How often the Lease is tried or renewed.'),
})

const gatewaySchema = z.object({
  ...common,
  port: port.default(8443).describe('Port for results and the API, over TLS.'),
  fenceCanaryPort: port.default(8444).describe('Port that no scan pod may reach.'),
  tlsDirectory: z
    .string()
    .default('/var/run/scanfleet/tls')
    .describe('Folder with tls.crt and tls.key; read again when they change.'),
  sqliteFile: z.string().default('/var/lib/scanfleet/findings.db').describe('File of the embedded store.'),
  postgresUrlFile: z
    .string()
    .optional()
    .describe('File with a PostgreSQL URL; with it the embedded store is not used.'),
})

export type ControllerConfig = Readonly<z.infer<typeof controllerSchema>>
export type GatewayConfig = Readonly<z.infer<typeof gatewaySchema>>

/** Says which option is wrong and what it takes. The message is meant for the person who starts the process. */
export class ConfigError extends Error {
  override name = 'ConfigError'
}

const schemas = { controller: controllerSchema, gateway: gatewaySchema }

export function readControllerConfig(argv: readonly string[], env: NodeJS.ProcessEnv): ControllerConfig {
  return read(controllerSchema, argv, env)
}

export function readGatewayConfig(argv: readonly string[], env: NodeJS.ProcessEnv): GatewayConfig {
  return read(gatewaySchema, argv, env)
}

/** One row for each option of a process, for `--help` and the documentation. */
export function describeOptions(process: keyof typeof schemas): { flag: string; variable: string; text: string }[] {
  return Object.entries(schemas[process].shape).map(([key, schema]) => ({
    flag: flagOf(key),
    variable: variableOf(key),
    text: (schema as z.ZodType).description ?? '',
  }))
}

/** Namespace of the pod, as Kubernetes mounts it beside the service account token; undefined outside of a cluster. */
export function namespaceOfPod(file = '/var/run/secrets/kubernetes.io/serviceaccount/namespace'): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return undefined
  }
}

function read<S extends z.ZodObject>(schema: S, argv: readonly string[], env: NodeJS.ProcessEnv): Readonly<z.infer<S>> {
  const keys = Object.keys(schema.shape)
  const flags = parseFlags(keys, argv)
  const given: Record<string, string> = {}
  for (const key of keys) {
    const value = flags[flagOf(key).slice(2)] ?? env[variableOf(key)]
    if (value !== undefined && value !== '') given[key] = value
  }
  const parsed = schema.safeParse(given)
  if (parsed.success) return Object.freeze(parsed.data)
  const lines = parsed.error.issues.map((issue) => {
    const key = String(issue.path[0])
    return `${flagOf(key)} (or ${variableOf(key)}): ${given[key] === undefined ? 'is required' : issue.message}`
  })
  throw new ConfigError(lines.join('\n'))
}

function parseFlags(keys: readonly string[], argv: readonly string[]): Record<string, string | undefined> {
  const options = Object.fromEntries(keys.map((key) => [flagOf(key).slice(2), { type: 'string' as const }]))
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: false }).values
  } catch (error) {
    throw new ConfigError(error instanceof Error ? error.message : String(error))
  }
}

function flagOf(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

function variableOf(key: string): string {
  return `SCANFLEET_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`
}
