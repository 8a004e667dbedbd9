/**
 * One real control plane for the whole tier of API tests, with our kinds in it. Whoever asks first starts it; the tier's
 * global teardown ends it, and a single file that is run by hand leaves it for the next run. Every test file works in
 * namespaces of its own.
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { parse } from 'yaml'
import { createKubeClient, type KubeClient } from '../../operator/kube/client.ts'
import { loadConnection } from '../../operator/kube/connection.ts'
import type { KubeCondition } from '../../operator/kube/objects.ts'
import { type Resource, resources } from '../../operator/kube/resources.ts'
import { createMetrics, type Metrics } from '../../operator/telemetry/metrics.ts'
import { type Cluster, startCluster, stopCluster, toolPath } from '../kubernetes/cluster.ts'
import { until } from './wait.ts'

const clusterName = 'api-tests'
const repository = join(import.meta.dirname, '../..')

export interface ControlPlane {
  readonly cluster: Cluster
  readonly client: KubeClient
  /** Makes a namespace with a name of its own. It goes away with the control plane. */
  createNamespace(prefix: string, labels?: Readonly<Record<string, string>>): Promise<string>
  /** Runs kubectl as administrator; `input` is its standard input. Rejects with its standard error when it fails. */
  kubectl(args: readonly string[], input?: string): Promise<string>
  /** Closes the client. The control plane goes on. */
  close(): Promise<void>
}

export async function openControlPlane(): Promise<ControlPlane> {
  const cluster = await startCluster({ name: clusterName, mode: 'control-plane' })
  const connection = await loadConnection({ kubeconfig: cluster.kubeconfig })
  const client = createKubeClient({ connection, metrics: testMetrics() })
  await installKinds(client)
  return {
    cluster,
    client,
    async createNamespace(prefix, labels = {}) {
      const name = `${prefix}-${randomBytes(4).toString('hex')}`
      await client.create(resources.namespaces, undefined, {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name, labels },
      })
      return name
    },
    kubectl: (args, input) => kubectl(cluster.kubeconfig, args, input),
    close: () => client.close(),
  }
}

/** Ends the control plane of the tier and all that belongs to it. */
export async function stopControlPlane(): Promise<void> {
  await stopCluster(clusterName)
}

interface CustomResourceDefinition {
  readonly metadata: { readonly name: string }
  readonly spec: {
    readonly names: { readonly kind: string; readonly plural: string }
    readonly versions: readonly { readonly name: string; readonly schema: { readonly openAPIV3Schema: unknown } }[]
  }
  readonly status?: { readonly conditions?: readonly KubeCondition[] }
}

export const definitions: Resource<CustomResourceDefinition> = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
}

/** The manifests in `crds/`. */
export function readDefinitions(): CustomResourceDefinition[] {
  const folder = join(repository, 'crds')
  const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'))
  return files.sort().map((file) => parse(readFileSync(join(folder, file), 'utf8')) as CustomResourceDefinition)
}

/** Applies `crds/` and returns when the API server serves every kind. */
export async function installKinds(client: KubeClient): Promise<void> {
  for (const manifest of readDefinitions()) {
    const { name } = manifest.metadata
    await client.apply(definitions, undefined, manifest, { fieldManager: 'scanfleet-tests' })
    await until(`${name} is established`, async () => {
      const { status } = (await client.get(definitions, undefined, name)) ?? {}
      return status?.conditions?.some((condition) => condition.type === 'Established' && condition.status === 'True')
    })
  }
}

/** Metrics in a registry of their own. */
export function testMetrics(): Metrics {
  return createMetrics(new Registry())
}

/** A logger that keeps its lines, so that a test can read them. */
export function testLog(level = 'debug'): { log: pino.Logger; lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = []
  const log = pino({ level }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  return { log, lines }
}

const run = promisify(execFile)

async function kubectl(kubeconfig: string, args: readonly string[], input = ''): Promise<string> {
  const running = run(await toolPath('kubectl'), args, {
    env: { ...process.env, KUBECONFIG: kubeconfig },
    maxBuffer: 64 * 1024 * 1024,
  })
  running.child.stdin?.end(input)
  return (await running).stdout
}
