/**
 * One job: the whole product on a real node, as its chart installs it, for the tests that need pods. Whoever asks first
 * brings it up; the tier's global teardown takes it away, and a single file that is run by hand leaves it for the next.
 * Invariant: what was made is recorded before it is made, so `removeProduct` finds it after a crash, too.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { z } from 'zod'
import { createKubeClient, type KubeClient } from '../../operator/kube/client.ts'
import { loadConnection } from '../../operator/kube/connection.ts'
import { resources } from '../../operator/kube/resources.ts'
import { gatewayCa, throughForward } from '../../scripts/demo/findings.ts'
import { deliverImages, type Images } from '../../scripts/demo/images.ts'
import { install } from '../../scripts/demo/install.ts'
import { type Access, helm, kubectl } from '../../scripts/demo/kubectl.ts'
import { codeHost, release, root } from '../../scripts/demo/settings.ts'
import { buildImage } from '../../scripts/images/build.ts'
import { stopDocker } from '../../scripts/images/docker.ts'
import { cacheFolder } from '../../scripts/images/paths.ts'
import { type Cluster, openCluster, startCluster, stopCluster, toolPath } from '../kubernetes/cluster.ts'
import { type GitHubServer, type GitHubServerOptions, startGitHubServer } from '../scm-servers/github/index.ts'
import { testMetrics } from './kubernetes.ts'

export { namespaces, release } from '../../scripts/demo/settings.ts'

const clusterName = 'cluster-tests'
/** Values, findings and the record of what was made. */
export const productFolder: string = join(root, '.local', clusterName)
const recordFile = join(productFolder, 'product.json')

const imageSchema = z.object({ repository: z.string(), tag: z.string() })
const recordSchema = z.object({
  /** An engine to build images with was started for this, and goes with it. */
  ownEngine: z.boolean(),
  /** Absent until the chart is installed. */
  images: z.object({ operator: imageSchema, scanner: imageSchema }).optional(),
})

export interface GatewayAnswer {
  readonly status: number
  readonly body: string
}

export interface Product {
  readonly cluster: Cluster
  readonly client: KubeClient
  readonly images: Images
  /** Standard output of kubectl as administrator. Rejects with its standard error. */
  kubectl(args: readonly string[], input?: string): Promise<string>
  helm(args: readonly string[]): Promise<string>
  /** `helm upgrade --install` with these values over those of the tier; returns when all pods are ready. */
  upgrade(values?: Readonly<Record<string, unknown>>): Promise<void>
  /** A namespace of its own that enforces Pod Security restricted; it goes away with the cluster. */
  createNamespace(prefix: string): Promise<string>
  /** A code host of the test file's own at the one address that the operator was told of: one at a time. */
  startCodeHost(options?: GitHubServerOptions): Promise<GitHubServer>
  /** GET from the gateway as a person with this token. */
  ask(path: string, token?: string): Promise<GatewayAnswer>
  /** Closes the client. The product goes on. */
  close(): Promise<void>
}

/** Brings the cluster up and installs what the sources are now; quick when nothing changed. */
export async function installProduct(onProgress: (line: string) => void): Promise<void> {
  mkdirSync(productFolder, { recursive: true })
  const engineRuns = () => existsSync(cacheFolder('docker', 'run', 'dockerd.pid'))
  const engineRan = engineRuns()
  const hadOne = readRecord()?.ownEngine ?? false
  writeRecord({ ownEngine: hadOne || !engineRan })
  onProgress('building both images')
  const built = { operator: await buildImage('operator'), scanner: await buildImage('scanner') }
  // When nothing had to be built none was started, and one that comes later is somebody else's.
  const ownEngine = hadOne || (!engineRan && engineRuns())
  writeRecord({ ownEngine })
  onProgress('starting the cluster')
  const cluster = await startCluster({ name: clusterName, mode: 'node', audit: true, onProgress })
  const access = await accessTo(cluster)
  onProgress('loading the images and installing the chart')
  const images = await deliverImages(built, { kind: 'Local' }, access, cluster)
  await installChart(cluster, access, images)
  writeRecord({ ownEngine, images })
}

/** The product that runs, installed now if there is none. */
export async function openProduct(): Promise<Product> {
  const running = await openCluster(clusterName)
  if (running === undefined || readRecord()?.images === undefined) await installProduct(() => undefined)
  const cluster = await openCluster(clusterName)
  const images = readRecord()?.images
  if (cluster === undefined || images === undefined) throw new Error('the product was installed and is gone already')
  const access = await accessTo(cluster)
  const connection = await loadConnection({ kubeconfig: cluster.kubeconfig })
  const client = createKubeClient({ connection, metrics: testMetrics() })
  return {
    cluster,
    client,
    images,
    kubectl: (args, input) => kubectl(access, args, input),
    helm: (args) => helm(access, args),
    upgrade: (values) => installChart(cluster, access, images, values),
    async createNamespace(prefix) {
      const name = `${prefix}-${randomBytes(3).toString('hex')}`
      const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' }
      const manifest = { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } }
      await client.create(resources.namespaces, undefined, manifest)
      return name
    },
    startCodeHost: (options) =>
      startGitHubServer({ address: cluster.nodeAddress, port: codeHost.port, hostName: codeHost.name, ...options }),
    ask: (path, token) => askGateway(access, path, token),
    close: () => client.close(),
  }
}

/** Takes everything away again, also what an interrupted run left. */
export async function removeProduct(): Promise<void> {
  await stopCluster(clusterName)
  if (readRecord()?.ownEngine) await stopDocker()
  rmSync(productFolder, { recursive: true, force: true })
}

function installChart(
  cluster: Cluster,
  access: Access,
  images: Images,
  values: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const ownNode = process.getuid?.() === 0
  return install(access, { folder: productFolder, images, codeHostAddress: cluster.nodeAddress, ownNode, values })
}

async function accessTo(cluster: Cluster): Promise<Access> {
  return {
    kubectl: await toolPath('kubectl'),
    helm: await toolPath('helm'),
    kubeconfig: cluster.kubeconfig,
    context: cluster.name,
  }
}

async function askGateway(access: Access, path: string, token: string | undefined): Promise<GatewayAnswer> {
  const ca = await gatewayCa(access)
  return throughForward(access, (port) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const options = { host: '127.0.0.1', servername: 'localhost', port, path, ca, headers, agent: false }
    return new Promise((resolve, reject) => {
      const call = request(options, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
        )
      })
      call.on('error', reject)
      call.end()
    })
  })
}

/** Where the gateway of the chart is, in words that pods and kubectl understand. */
export const gatewayDeployment = `${release}-gateway`
export const controllerDeployment = `${release}-controller`

function readRecord(): z.infer<typeof recordSchema> | undefined {
  return existsSync(recordFile) ? recordSchema.parse(JSON.parse(readFileSync(recordFile, 'utf8'))) : undefined
}

function writeRecord(record: z.infer<typeof recordSchema>): void {
  writeFileSync(recordFile, JSON.stringify(record))
}
