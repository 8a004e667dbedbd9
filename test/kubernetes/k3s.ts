/**
 * One job: the same cluster as K3s in a container, for people who may use a Docker but are not root.
 * Auditing is the one thing that it does not offer.
 */
import { createReadStream, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { K3sContainer } from '@testcontainers/k3s'
import { getContainerRuntimeClient } from 'testcontainers'
import { parse, stringify } from 'yaml'
import { z } from 'zod'
import type { NativeOptions } from './native.ts'
import { type ClusterRecord, writeRecord } from './state.ts'

const image = 'rancher/k3s:v1.34.4-k3s1'

const kubeconfigSchema = z.looseObject({
  clusters: z.array(z.looseObject({ name: z.string(), cluster: z.looseObject({ server: z.string() }) })).min(1),
  contexts: z.array(
    z.looseObject({ name: z.string(), context: z.looseObject({ cluster: z.string(), user: z.string() }) }),
  ),
  users: z.array(z.looseObject({ name: z.string() })),
})

/** True when a Docker answers this user. */
export async function canUseDocker(): Promise<boolean> {
  try {
    await getContainerRuntimeClient()
    return true
  } catch {
    return false
  }
}

export async function startK3s(options: NativeOptions): Promise<ClusterRecord> {
  if (options.audit) throw new Error('Auditing needs a cluster that runs on this machine itself, and that needs root')
  options.onProgress('starting K3s in a container (the first time its image is pulled)')
  // The cluster has to outlive this process, so the companion that removes containers after it must not start.
  process.env['TESTCONTAINERS_RYUK_DISABLED'] = 'true'
  const started = await new K3sContainer(image).start()
  const container = started.getId()
  const addresses = { server: '', nodeAddress: '', podCidr: '10.42.0.0/16', serviceCidr: '10.43.0.0/16' }
  const { name, folder } = options
  const record: ClusterRecord = {
    name,
    mode: 'node',
    backend: 'k3s',
    audit: false,
    ready: false,
    processes: [],
    container,
    ...addresses,
  }
  mkdirSync(folder, { recursive: true })
  writeRecord(folder, record)

  const client = await getContainerRuntimeClient()
  const networks = Object.values(
    (await client.container.inspect(client.container.getById(container))).NetworkSettings.Networks,
  )
  const nodeAddress = networks.find((network) => network.Gateway)?.Gateway
  if (nodeAddress === undefined)
    throw new Error(
      `The container of cluster ${name} has no network with a gateway, so pods could not reach this machine`,
    )
  const { kubeconfig, server } = renameContext(started.getKubeConfig(), name)
  writeFileSync(join(folder, 'kubeconfig'), kubeconfig, { mode: 0o600 })
  const ready = { ...record, server, nodeAddress, ready: true }
  writeRecord(folder, ready)
  return ready
}

export async function isK3sRunning(record: ClusterRecord): Promise<boolean> {
  try {
    const client = await getContainerRuntimeClient()
    return (await client.container.inspect(client.container.getById(containerOf(record)))).State.Running
  } catch {
    return false
  }
}

export async function removeK3s(record: ClusterRecord): Promise<void> {
  const client = await getContainerRuntimeClient()
  try {
    await client.container.getById(containerOf(record)).remove({ force: true, v: true })
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode !== 404) throw error
  }
}

export async function loadK3sImage(record: ClusterRecord, archive: string): Promise<void> {
  const client = await getContainerRuntimeClient()
  const container = client.container.getById(containerOf(record))
  const exec = await container.exec({
    Cmd: ['ctr', '-n', 'k8s.io', 'images', 'import', '-'],
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
  })
  const stream = await exec.start({ hijack: true, stdin: true })
  const output: Buffer[] = []
  stream.on('data', (chunk: Buffer) => output.push(chunk))
  const ended = new Promise((resolve, reject) => stream.on('end', resolve).on('error', reject))
  createReadStream(archive)
    .on('error', (error) => stream.destroy(error))
    .pipe(stream)
  await ended
  const { ExitCode } = await exec.inspect()
  if (ExitCode !== 0)
    throw new Error(`Loading ${archive} failed: ${Buffer.concat(output).toString('utf8').slice(-2000)}`)
}

function containerOf(record: ClusterRecord): string {
  if (record.container === undefined) throw new Error(`The record of cluster ${record.name} names no container`)
  return record.container
}

/** K3s calls its context "default"; ours is called like the cluster. */
function renameContext(text: string, name: string): { kubeconfig: string; server: string } {
  const config = kubeconfigSchema.parse(parse(text))
  const server = config.clusters[0]?.cluster.server ?? ''
  const renamed = {
    ...config,
    'current-context': name,
    clusters: config.clusters.map((cluster) => ({ ...cluster, name })),
    contexts: config.contexts.map((context) => ({
      ...context,
      name,
      context: { ...context.context, cluster: name, user: name },
    })),
    users: config.users.map((user) => ({ ...user, name })),
  }
  return { kubeconfig: stringify(renamed), server }
}
