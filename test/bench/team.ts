/** One job: what a team would apply: a namespace with a connection to the demo code host, and ManagedScans. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { ManagedScan } from '../../operator/api/kinds.ts'
import type { KubeClient } from '../../operator/kube/client.ts'
import { isTrue } from '../../operator/kube/conditions.ts'
import { resources } from '../../operator/kube/resources.ts'
import type { GitHubServer } from '../scm-servers/github/index.ts'
import { managedScan, scanRun, scmConnection } from '../support/manifests.ts'
import { until } from '../support/wait.ts'

/** Where the product runs and the code host that it may reach. */
export interface Place {
  readonly client: KubeClient
  readonly codeHost: GitHubServer
}

export interface Team {
  readonly namespace: string
  /** Creates a ScanRun by hand, of the default branch unless a commit is given, and returns its uid. */
  createRun(name: string, managedScan: string, repository: string, commit?: string): Promise<string>
  createManagedScan(name: string, spec: object): Promise<ManagedScan>
}

/** Ten small files of a program: what the samples hold is enough for a commit. */
const source = join(import.meta.dirname, '..', 'scm-servers', 'github', 'repositories', 'design-tokens')

/** Hosts repositories under these names, connects, and returns when all of them are discovered. */
export async function createTeam(place: Place, repositories: readonly string[]): Promise<Team> {
  const { client, codeHost } = place
  const namespace = `team-${randomBytes(3).toString('hex')}`
  for (const name of repositories) await codeHost.addRepository(name, { source })
  const create = client.create
  await create(resources.namespaces, undefined, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
  await create(resources.secrets, namespace, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'acme-app' },
    stringData: { 'private-key': codeHost.app.privateKey },
  })
  await create(resources.configMaps, namespace, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'acme-ca' },
    data: { 'ca.crt': codeHost.caPem },
  })
  const connection = scmConnection('acme', {
    provider: 'GitHubEnterpriseServer',
    url: codeHost.url,
    credentials: { githubApp: { appId: codeHost.app.id, privateKeySecretRef: { name: 'acme-app' } } },
    tls: { caConfigMapRef: { name: 'acme-ca' } },
    limits: { concurrent: 10_000 },
  })
  await create(resources.scmConnections, namespace, connection)
  await until(
    'the connection is ready and everything is discovered',
    async () => {
      const { status } = (await client.get(resources.scmConnections, namespace, 'acme')) ?? {}
      return isTrue(status?.conditions, 'Ready') && (status?.repositories ?? 0) >= codeHost.state.repositories.length
    },
    { withinMs: 300_000 },
  )
  return {
    namespace,
    async createRun(name, managedScanName, repository, commit) {
      const manifest = scanRun(name, {
        managedScanRef: { name: managedScanName },
        repository: { fullName: `${codeHost.organization}/${repository}` },
        commit,
      })
      return (await create(resources.scanRuns, namespace, manifest)).metadata.uid
    },
    createManagedScan: (name, spec) => create(resources.managedScans, namespace, managedScan(name, { ...spec })),
  }
}
