/**
 * One job: the whole product on a real node, for benchmarks that need pods, beside a namespace without any fence for the
 * peers. Invariant: everything is taken down with it, also when its making fails.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createKubeClient, type KubeClient } from '../../operator/kube/client.ts'
import { loadConnection } from '../../operator/kube/connection.ts'
import { resources } from '../../operator/kube/resources.ts'
import { buildImages, deliverImages } from '../../scripts/demo/images.ts'
import { install as installChart } from '../../scripts/demo/install.ts'
import { codeHost as codeHostName } from '../../scripts/demo/settings.ts'
import { type Cluster, startCluster, toolPath } from '../kubernetes/cluster.ts'
import { type GitHubServer, startGitHubServer } from '../scm-servers/github/index.ts'
import { testMetrics } from '../support/kubernetes.ts'

export interface Node {
  readonly cluster: Cluster
  /** As administrator. */
  readonly client: KubeClient
  readonly codeHost: GitHubServer
  /** Reference of the scanner image on the node. */
  readonly scanner: string
  stop(): Promise<void>
}

/** Pods of the peers run here, under the same Pod Security and without any NetworkPolicy. */
export const openNamespace = 'bench-open'
/** User of the gateway in the audit log. */
export const gatewayUser = 'system:serviceaccount:scanfleet:scanfleet-gateway'

export async function startNode(note: (line: string) => void): Promise<Node> {
  const folder = await mkdtemp(join(tmpdir(), 'scanfleet-bench-node-'))
  const cleanups: (() => Promise<void>)[] = [() => rm(folder, { recursive: true, force: true })]
  const stop = async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup().catch((error: Error) => note(error.message))
  }
  try {
    note('building the images and starting a node')
    const built = await buildImages(note)
    const cluster = await startCluster({ name: 'bench-node', mode: 'node', audit: true, onProgress: note })
    cleanups.push(() => cluster.stop())
    const connection = await loadConnection({ kubeconfig: cluster.kubeconfig })
    const client = createKubeClient({ connection, metrics: testMetrics() })
    cleanups.push(() => client.close())
    const codeHost = await startGitHubServer({
      address: cluster.nodeAddress,
      hostName: codeHostName.name,
      port: codeHostName.port,
      samples: false,
    })
    cleanups.push(() => codeHost.stop())
    const access = {
      kubectl: await toolPath('kubectl'),
      helm: await toolPath('helm'),
      kubeconfig: cluster.kubeconfig,
      context: cluster.name,
    }
    const images = await deliverImages(built, { kind: 'Local' }, access, cluster)
    note('installing the chart')
    await installChart(access, {
      folder,
      images,
      codeHostAddress: cluster.nodeAddress,
      ownNode: process.getuid?.() === 0,
    })
    await client.create(resources.namespaces, undefined, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: openNamespace, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
    })
    const { repository, tag } = images.scanner
    return { cluster, client, codeHost, scanner: `${repository}:${tag}`, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
