/**
 * The real controller beside a real control plane and the demo code host: the namespaces that the chart would make, a team
 * with a connection, and the controller in this process or, where it is to be killed, as one of its own.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Registry } from 'prom-client'
import { stringify } from 'yaml'
import type { ManagedScan, ScanRun, ScmConnection, ScmRepository } from '../../operator/api/kinds.ts'
import { readControllerConfig } from '../../operator/config.ts'
import { type Controller, type ControllerDeps, runController } from '../../operator/controller.ts'
import { createKubeClient, type KubeClient } from '../../operator/kube/client.ts'
import { type Connection, loadConnection } from '../../operator/kube/connection.ts'
import type { Job, Pod } from '../../operator/kube/objects.ts'
import { type Resource, resources } from '../../operator/kube/resources.ts'
import { createMetrics } from '../../operator/telemetry/metrics.ts'
import { createRedactor } from '../../operator/telemetry/redact.ts'
import { type GitHubServer, startGitHubServer } from '../scm-servers/github/index.ts'
import { type ControlPlane, openControlPlane, testLog } from './kubernetes.ts'
import { type Manifest, managedScan, scanRun, scmConnection } from './manifests.ts'
import { until } from './wait.ts'

const image = 'scanfleet-scanner:test'
const quickConnections = { secretPollMs: 1000, firstRetryMs: 1000, checkIntervalMs: 3000 }

export interface Site {
  readonly plane: ControlPlane
  readonly client: KubeClient
  readonly host: GitHubServer
  readonly namespaces: { readonly operator: string; readonly scans: string; readonly team: string }
  /** Flags of a controller of this site; `changes` go over them. */
  flags(changes?: Readonly<Record<string, string>>): string[]
  apply(manifest: Manifest, namespace?: string): Promise<void>
  remove(resource: Resource<unknown>, name: string): Promise<void>
  connection(name?: string): Promise<ScmConnection | undefined>
  managedScan(name?: string): Promise<ManagedScan | undefined>
  repositories(): Promise<readonly ScmRepository[]>
  runs(): Promise<readonly ScanRun[]>
  jobs(): Promise<readonly Job[]>
  pods(): Promise<readonly Pod[]>
  /** Names of all that belongs to scans, as `kind/name`; empty when nothing was left behind. */
  leftovers(): Promise<readonly string[]>
  stop(): Promise<void>
}

export interface SiteOptions {
  readonly plane?: ControlPlane
  /** Names of repositories that the host has, each with a commit. */
  readonly repositories?: readonly string[]
  readonly samples?: boolean
}

export async function openSite(options: SiteOptions = {}): Promise<Site> {
  const plane = options.plane ?? (await openControlPlane())
  const { client } = plane
  const host = await startGitHubServer({ samples: options.samples ?? false })
  const source = join(import.meta.dirname, '../scm-servers/github/repositories/design-tokens')
  for (const name of options.repositories ?? []) await host.addRepository(name, { source })
  const operator = await plane.createNamespace('operator')
  const team = await plane.createNamespace('team')
  const scans = await plane.createNamespace('scans', { 'pod-security.kubernetes.io/enforce': 'restricted' })
  await client.create(resources.networkPolicies, scans, {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'default-deny' },
    spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
  })
  await client.create(resources.services, operator, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'gateway' },
    spec: { selector: { app: 'gateway' }, ports: [{ port: 8443 }] },
  })
  const list = async <T>(resource: Resource<T>, namespace: string) => (await client.list(resource, namespace)).items

  return {
    plane,
    client,
    host,
    namespaces: { operator, scans, team },
    flags: (changes = {}) =>
      Object.entries({
        namespace: operator,
        'scan-namespace': scans,
        'watch-namespaces': team,
        'gateway-service': 'gateway',
        'scanner-image': image,
        'allowed-private-networks': '127.0.0.0/8,::1/128',
        'metrics-port': '0',
        'health-port': '0',
        'pod-name': 'controller',
        ...changes,
      }).flatMap(([flag, value]) => [`--${flag}`, value]),
    async apply(manifest, namespace = team) {
      const resource = Object.values(resources).find(({ kind }) => kind === manifest.kind) as Resource<unknown>
      await client.apply(resource, namespace, manifest, { fieldManager: 'team' })
    },
    remove: async (resource, name) => void (await client.delete(resource, team, name)),
    connection: (name = 'acme') => client.get(resources.scmConnections, team, name),
    managedScan: (name = 'all') => client.get(resources.managedScans, team, name),
    repositories: () => list(resources.scmRepositories, team),
    runs: () => list(resources.scanRuns, team),
    jobs: () => list(resources.jobs, scans),
    pods: () => list(resources.pods, scans),
    async leftovers() {
      const kinds = {
        job: resources.jobs,
        pod: resources.pods,
        secret: resources.secrets,
        policy: resources.networkPolicies,
      }
      const names: string[] = []
      for (const [kind, resource] of Object.entries(kinds) as [string, Resource<Job>][])
        for (const { metadata } of await list(resource, scans)) names.push(`${kind}/${metadata.name}`)
      return names.filter((name) => name !== 'policy/default-deny')
    },
    async stop() {
      await host.stop()
      if (options.plane === undefined) await plane.close()
    },
  }
}

/** The team's Secret, ConfigMap and connection. With `app` the credential is a GitHub App, else a token of a person. */
export async function connect(site: Site, changes: Readonly<Record<string, unknown>> = {}, app = false): Promise<void> {
  const { host } = site
  await writeSecret(site, 'acme-token', { token: host.issueToken() })
  await writeSecret(site, 'acme-app', { 'private-key': host.app.privateKey })
  await site.apply({ ...configMap('acme-ca', { 'ca.crt': host.caPem }) })
  const githubApp = { appId: host.app.id, privateKeySecretRef: { name: 'acme-app' } }
  await site.apply(
    scmConnection('acme', {
      provider: 'GitHubEnterpriseServer',
      url: host.url,
      tls: { caConfigMapRef: { name: 'acme-ca' } },
      ...(app && { credentials: { githubApp } }),
      ...changes,
    }),
  )
}

export function writeSecret(site: Site, name: string, values: Readonly<Record<string, string>>): Promise<void> {
  const data = Object.fromEntries(Object.entries(values).map(([key, value]) => [key, toBase64(value)]))
  return site.apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name }, data } as unknown as Manifest)
}

export function configMap(name: string, data: Readonly<Record<string, string>>): Manifest {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data } as unknown as Manifest
}

/** A ManagedScan of everything that the connection has. */
export function scanAll(changes: Readonly<Record<string, unknown>> = {}): Manifest {
  return managedScan('all', changes)
}

/** A ScanRun as a person writes it. */
export function scanNow(name: string, repository: string, changes: Readonly<Record<string, unknown>> = {}): Manifest {
  return scanRun(name, { repository: { fullName: `acme/${repository}` }, ...changes })
}

export interface ControllerUnderTest {
  readonly lines: readonly Record<string, unknown>[]
  /** How often it lost the Lease. */
  readonly lost: number
  stop(): Promise<void>
}

/** The controller in this process. `through` is its way to the API server. */
export async function startController(
  site: Site,
  options: {
    readonly flags?: Readonly<Record<string, string>>
    readonly through?: Connection
    readonly deps?: Partial<ControllerDeps>
  } = {},
): Promise<ControllerUnderTest> {
  const { log, lines } = testLog()
  const registry = new Registry()
  const metrics = createMetrics(registry)
  const connection = options.through ?? (await loadConnection({ kubeconfig: site.plane.cluster.kubeconfig }))
  const client = createKubeClient({ connection, metrics })
  let lost = 0
  const controller: Controller = await runController(readControllerConfig(site.flags(options.flags), {}), {
    client,
    apiServer: site.plane.cluster.server,
    log,
    registry,
    metrics,
    redactor: createRedactor(),
    onLost: () => void lost++,
    connectionTimes: quickConnections,
    ...options.deps,
  })
  return {
    lines,
    get lost() {
      return lost
    },
    async stop() {
      await controller.stop()
      await client.close()
    },
  }
}

export interface ControllerProcess {
  readonly child: ChildProcess
  readonly output: readonly string[]
  signal(name: 'SIGSTOP' | 'SIGCONT'): void
  /** SIGKILL, as a crash or a lost node. */
  kill(): Promise<void>
}

/** The controller as a process of its own, as the image runs it. It leads when this resolves, unless told not to wait. */
export async function spawnController(
  site: Site,
  options: {
    readonly flags?: Readonly<Record<string, string>>
    /** Base address of a proxy to the API server. */
    readonly server?: string
    readonly awaitLead?: boolean
  } = {},
): Promise<ControllerProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'scanfleet-controller-'))
  const kubeconfig = options.server === undefined ? site.plane.cluster.kubeconfig : join(folder, 'kubeconfig')
  if (options.server !== undefined) await writeFile(kubeconfig, kubeconfigOf(options.server))
  const main = join(import.meta.dirname, '../../operator/main.ts')
  const child = spawn(process.execPath, [main, 'controller', ...site.flags(options.flags)], {
    env: { PATH: process.env['PATH'], KUBECONFIG: kubeconfig },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = once(child, 'exit')
  const output: string[] = []
  for (const stream of [child.stdout, child.stderr])
    if (stream) createInterface({ input: stream }).on('line', (line) => void output.push(line))
  const made: ControllerProcess = {
    child,
    output,
    signal: (name) => void child.kill(name),
    async kill() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
      await ended
      await rm(folder, { recursive: true, force: true })
    },
  }
  if (options.awaitLead === false) return made
  try {
    await until('the controller leads', () => output.some((line) => line.includes('this replica leads')))
  } catch (error) {
    await made.kill()
    throw new Error(`the controller does not lead: ${output.slice(-5).join('\n')}`, { cause: error })
  }
  return made
}

function kubeconfigOf(server: string): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'proxy',
    // Plain HTTP to this very machine is only allowed with this word.
    clusters: [{ name: 'proxy', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'proxy', user: {} }],
    contexts: [{ name: 'proxy', context: { cluster: 'proxy', user: 'proxy' } }],
  })
}

function toBase64(text: string): string {
  return Buffer.from(text).toString('base64')
}
