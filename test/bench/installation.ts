/**
 * One job: the product on a control plane without nodes: the chart's objects and rights, and its two processes run from the
 * bundle of the image with the chart's own arguments. Invariant: every process is stopped with the installation.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { createKubeClient, type KubeClient } from '../../operator/kube/client.ts'
import { loadConnection } from '../../operator/kube/connection.ts'
import { resources } from '../../operator/kube/resources.ts'
import { execute } from '../../scripts/demo/kubectl.ts'
import { collect } from '../../scripts/images/context.ts'
import { containerOf, type Manifest, render } from '../chart/support.ts'
import { type Cluster, startCluster, toolPath } from '../kubernetes/cluster.ts'
import { type GitHubServer, startGitHubServer } from '../scm-servers/github/index.ts'
import { installKinds, testMetrics } from '../support/kubernetes.ts'
import { until } from '../support/wait.ts'
import { type OperatorProcess, startOperatorProcess, writeServiceAccount } from './process.ts'

export interface Installation {
  readonly cluster: Cluster
  /** As administrator. */
  readonly client: KubeClient
  readonly codeHost: GitHubServer
  readonly gateway: Gateway
  /** Users of the two processes in the audit log. */
  readonly users: { readonly controller: string; readonly gateway: string }
  /** The controller that runs now. */
  controller(): OperatorProcess
  /** Stops it, starts another one, and returns when that one leads. */
  restartController(): Promise<OperatorProcess>
  stop(): Promise<void>
}

export interface Gateway {
  readonly port: number
  readonly caPem: string
  /** The name that its certificate is for. */
  readonly serverName: string
}

export const namespaces = { operator: 'scanfleet', scans: 'scanfleet-scans' } as const
const clusterName = 'bench'
const root = join(import.meta.dirname, '..', '..')
const imageOnNoNode = { repository: 'scanfleet.test/image', tag: 'bench' }

export interface InstallOptions {
  readonly note: (line: string) => void
  /** Flags of Node for the controller, such as --cpu-prof; none in a measurement. */
  readonly nodeFlags?: readonly string[]
}

export async function install({ note, nodeFlags = [] }: InstallOptions): Promise<Installation> {
  const folder = await mkdtemp(join(tmpdir(), 'scanfleet-bench-'))
  const cleanups: (() => Promise<void>)[] = [() => rm(folder, { recursive: true, force: true })]
  const stop = async () => {
    const problems: unknown[] = []
    for (const cleanup of cleanups.splice(0).reverse())
      await cleanup().catch((problem: unknown) => problems.push(problem))
    if (problems.length > 0) throw problems[0]
  }
  try {
    note('starting a control plane and the demo code host')
    const cluster = await startCluster({ name: clusterName, mode: 'control-plane', audit: true, onProgress: note })
    cleanups.push(() => cluster.stop())
    const connection = await loadConnection({ kubeconfig: cluster.kubeconfig })
    const client = createKubeClient({ connection, metrics: testMetrics() })
    cleanups.push(() => client.close())
    const codeHost = await startGitHubServer({ samples: false })
    cleanups.push(() => codeHost.stop())

    await installKinds(client)
    const manifests = await render({
      image: imageOnNoNode,
      scannerImage: imageOnNoNode,
      crds: { install: false },
      controller: { allowedPrivateNetworks: ['127.0.0.1/32'], maxConcurrentScans: 0 },
    })
    await applyManifests(cluster, manifests)
    // What the image is made of, program and workers.
    await collect('operator', folder)
    const bundle = join(folder, 'app', 'scanfleet.mjs')
    const { ca = '' } = (await connection.credentials()).tls
    const logs = join(root, '.local', 'bench', 'logs')
    await rm(logs, { recursive: true, force: true })
    await mkdir(logs, { recursive: true })

    async function startProcess(
      component: 'controller' | 'gateway',
      overrides: readonly string[],
      flags: readonly string[] = [],
    ): Promise<OperatorProcess> {
      const serviceAccount = join(folder, component)
      const account = { namespace: namespaces.operator, name: accountOf(manifests, component) }
      await writeServiceAccount(client, account, ca, serviceAccount)
      return startOperatorProcess({
        bundle,
        // Of a flag that is given twice the last one counts.
        args: [
          ...containerOf(manifests, `scanfleet-${component}`).args,
          '--metrics-port=0',
          '--health-port=0',
          `--pod-name=bench-${component}`,
          ...overrides,
        ],
        serviceAccount,
        server: cluster.server,
        logFile: join(logs, `${component}.log`),
        nodeFlags: flags,
      })
    }

    async function startController(): Promise<OperatorProcess> {
      const started = Date.now()
      const process = await startProcess('controller', [], nodeFlags)
      await until('the controller leads', () => leadsSince(client, started))
      return process
    }
    let controller = await startController()
    cleanups.push(() => controller.stop())
    const secret = await until('the certificate of the gateway', () =>
      client.get(resources.secrets, namespaces.operator, 'scanfleet-gateway-tls'),
    )
    const tls = join(folder, 'tls')
    await mkdir(tls)
    const file = (key: string) => Buffer.from(secret.data?.[key] ?? '', 'base64').toString()
    for (const key of ['tls.crt', 'tls.key']) await writeFile(join(tls, key), file(key), { mode: 0o600 })
    const port = await freePort()
    const gateway = await startProcess('gateway', [
      `--port=${port}`,
      '--fence-canary-port=0',
      `--tls-directory=${tls}`,
      `--sqlite-file=${join(folder, 'findings.db')}`,
    ])
    cleanups.push(() => gateway.stop())
    await until('the gateway serves', () =>
      readFile(gateway.logFile, 'utf8').then((log) => log.includes('gateway serves')),
    )

    const user = (component: 'controller' | 'gateway') =>
      `system:serviceaccount:${namespaces.operator}:${accountOf(manifests, component)}`
    return {
      cluster,
      client,
      codeHost,
      gateway: { port, caPem: file('ca.crt'), serverName: `scanfleet-gateway.${namespaces.operator}.svc` },
      users: { controller: user('controller'), gateway: user('gateway') },
      controller: () => controller,
      async restartController() {
        await controller.stop()
        controller = await startController()
        return controller
      },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** All but the Deployments, whose processes run here. */
async function applyManifests(cluster: Cluster, manifests: readonly Manifest[]): Promise<void> {
  const kubectl = await toolPath('kubectl')
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespaces.operator } }
  const wanted = manifests.filter(({ kind }) => kind !== 'Deployment')
  for (const part of [[namespace], wanted]) {
    const text = part.map((manifest) => stringify(manifest)).join('---\n')
    await execute(kubectl, ['--kubeconfig', cluster.kubeconfig, 'apply', '--server-side', '-f', '-'], text)
  }
}

function accountOf(manifests: readonly Manifest[], component: string): string {
  const found = manifests.find(
    ({ kind, metadata }) => kind === 'Deployment' && metadata.name === `scanfleet-${component}`,
  )
  return found.spec.template.spec.serviceAccountName
}

async function leadsSince(client: KubeClient, moment: number): Promise<boolean> {
  const lease = await client.get(resources.leases, namespaces.operator, 'scanfleet-controller')
  const { holderIdentity, acquireTime } = lease?.spec ?? {}
  return holderIdentity === 'bench-controller' && acquireTime !== undefined && Date.parse(acquireTime) >= moment
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
