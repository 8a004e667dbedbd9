/** One job: what a team declares in a namespace of its own, and how its scans stand. */
import type { ManagedScan, ScanRun } from '../../operator/api/kinds.ts'
import { resources } from '../../operator/kube/resources.ts'
import { hasEnded } from '../../operator/scan/outcome.ts'
import type { GitHubServer } from '../scm-servers/github/index.ts'
import { type Manifest, managedScan, scanRun, scmConnection } from '../support/manifests.ts'
import { namespaces, type Product } from '../support/product.ts'
import { until } from '../support/wait.ts'

type Fields = Readonly<Record<string, unknown>>

/** As which the team speaks to the code host: the host's App, or the token of a person. */
export type Credential = { readonly kind: 'App' } | { readonly kind: 'Token'; readonly token: string }

export interface Team {
  readonly namespace: string
  /** Returns when this many repositories have been discovered. */
  discovered(count: number): Promise<void>
  /** Applies a ManagedScan; `changes` go over its spec. */
  scan(name: string, changes?: Fields): Promise<ManagedScan>
  /** A scan by hand; `changes` go over the spec of the ScanRun. */
  run(name: string, managedScan: string, repository: string, changes?: Fields): Promise<ScanRun>
  read(name: string): Promise<ScanRun>
  runs(): Promise<readonly ScanRun[]>
  /** All runs, as soon as there are this many and every one has ended and left the scan namespace. */
  allOver(count: number): Promise<readonly ScanRun[]>
  /** The run, as soon as it has ended and left the scan namespace. */
  over(name: string): Promise<ScanRun>
  /** Deletes the namespace with all that the team declared, and returns when it is gone. */
  remove(): Promise<void>
}

/** Scans are slow where many share few processors. */
const patience = { withinMs: 8 * 60_000, everyMs: 500 }

export async function createTeam(
  product: Product,
  host: GitHubServer,
  prefix: string,
  credential: Credential = { kind: 'App' },
): Promise<Team> {
  const { client } = product
  const namespace = await product.createNamespace(prefix)
  const value = credential.kind === 'App' ? { 'private-key': host.app.privateKey } : { token: credential.token }
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'code-host' }, stringData: value }
  const authority = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'code-host' },
    data: { 'ca.crt': host.caPem },
  }
  await client.create(resources.secrets, namespace, secret)
  await client.create(resources.configMaps, namespace, authority)
  const credentials =
    credential.kind === 'App'
      ? { githubApp: { appId: host.app.id, privateKeySecretRef: { name: 'code-host' } } }
      : { tokenSecretRef: { name: 'code-host' } }
  const connection = scmConnection('acme', {
    provider: 'GitHubEnterpriseServer',
    url: host.url,
    owner: { organization: host.organization },
    credentials,
    tls: { caConfigMapRef: { name: 'code-host' } },
  })
  await client.create(resources.scmConnections, namespace, connection)

  const runs = async () => (await client.list(resources.scanRuns, namespace)).items
  async function read(name: string): Promise<ScanRun> {
    const run = await client.get(resources.scanRuns, namespace, name)
    if (!run) throw new Error(`the run ${name} is gone`)
    return run
  }
  return {
    namespace,
    runs,
    read,
    scan: (name, changes) => apply(product, namespace, managedScan(name, changes)),
    run: (name, scan, repository, changes) =>
      client.create(
        resources.scanRuns,
        namespace,
        scanRun(name, { managedScanRef: { name: scan }, repository: { fullName: repository }, ...changes }),
      ),
    over: (name) =>
      until(
        `the run ${name} is over`,
        async () => {
          const run = await read(name)
          return isOver(run) && run
        },
        patience,
      ),
    async discovered(count) {
      const known = async () => (await client.list(resources.scmRepositories, namespace)).items.length === count
      await until(`${count} repositories are discovered`, known)
    },
    async remove() {
      await product.kubectl(['delete', 'namespace', namespace, '--timeout=2m'])
    },
    allOver: (count) =>
      until(
        `${count} runs are over`,
        async () => {
          const all = await runs()
          return all.length >= count && all.every(isOver) && all
        },
        patience,
      ),
  }
}

/** Ended, and what ran of it is gone. */
export function isOver(run: ScanRun): boolean {
  const { startTime, evidence } = run.status ?? {}
  return hasEnded(run) && (startTime === undefined || evidence?.podDeletedTime !== undefined)
}

/** `Ready` of a run in two words, such as `True Succeeded`. */
export function outcome(run: ScanRun): string {
  const ready = run.status?.conditions?.find(({ type }) => type === 'Ready')
  return `${ready?.status} ${ready?.reason}`
}

export function message(run: ScanRun): string {
  return run.status?.conditions?.find(({ type }) => type === 'Ready')?.message ?? ''
}

/** Names of everything in the scan namespace that belongs to scans, as `kind/name`. */
export async function leftovers(product: Product): Promise<readonly string[]> {
  const kinds = 'jobs,pods,secrets,networkpolicies'
  const names = await product.kubectl(['get', kinds, '-n', namespaces.scans, '-o', 'name'])
  return names.split('\n').filter((name) => name !== '' && !name.endsWith('/default-deny'))
}

async function apply(product: Product, namespace: string, manifest: Manifest): Promise<ManagedScan> {
  return product.client.apply(resources.managedScans, namespace, manifest, { fieldManager: 'scanfleet-tests' })
}
