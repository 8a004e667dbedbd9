/**
 * One job: what tests, the demo and the command line use: a real Kubernetes on this machine by name.
 * Invariant: a cluster that is returned is ready; one that could not be started leaves nothing behind but its error.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Progress } from './binaries.ts'
import { auditLogPath } from './control-plane.ts'
import { canUseDocker, isK3sRunning, loadK3sImage, removeK3s, startK3s } from './k3s.ts'
import { withLock } from './lock.ts'
import { loadNativeImage, removeNative, startNativeControlPlane, startNativeNode } from './native.ts'
import { isAlive } from './processes.ts'
import { type ClusterRecord, clusterFolder, defaultStateDir, readRecord, recordedClusters } from './state.ts'

export { toolPath } from './binaries.ts'

/** `control-plane`: API server without nodes, for tests of the API. `node`: everything that runs pods. */
export type ClusterMode = 'control-plane' | 'node'

export interface Cluster {
  readonly name: string
  readonly mode: ClusterMode
  /** Path of a kubeconfig with an administrator's client certificate; its only context has the cluster's name. */
  readonly kubeconfig: string
  readonly server: string
  /** Address of this machine that pods can reach. */
  readonly nodeAddress: string
  readonly podCidr: string
  readonly serviceCidr: string
  /** Path of the audit log, JSON lines at level Metadata, when auditing is on. */
  readonly auditLog?: string
  /** Folder of the components' log files. */
  readonly logs: string
  /** Loads an archive of `docker save` or an OCI archive into the node. */
  loadImage(archivePath: string): Promise<void>
  /** Ends it and removes all that it made on this machine. */
  stop(): Promise<void>
}

export interface StartOptions {
  /** `scanfleet` when left out. */
  readonly name?: string
  readonly mode: ClusterMode
  readonly audit?: boolean
  /** The folder that holds a folder per cluster; `.local/kubernetes` of this checkout when left out. */
  readonly stateDir?: string
  readonly onProgress?: Progress
}

export const defaultName = 'scanfleet'

/**
 * Starts a cluster, or returns the one that already runs under this name with this mode.
 * What a crash left of it is removed first. @throws when another mode runs under this name, or with the log of what failed.
 */
export async function startCluster(options: StartOptions): Promise<Cluster> {
  const { name = defaultName, mode, audit = false, stateDir = defaultStateDir, onProgress = () => undefined } = options
  const folder = clusterFolder(stateDir, name)
  return await withLock(`${folder}.lock`, async () => {
    const record = readRecord(folder)
    if (record !== undefined && (await isRunning(record))) {
      if (record.mode === mode && record.audit === audit) return toCluster(record, stateDir)
      throw new Error(`Cluster ${name} already runs as ${describe(record)}: take it down first, or use another name`)
    }
    if (record !== undefined) onProgress(`removing what is left of an earlier cluster ${name}`)
    await remove(record, folder)
    const start = await chooseBackend(mode, name)
    try {
      return toCluster(await start({ name, folder, audit, onProgress }), stateDir)
    } catch (error) {
      await remove(readRecord(folder), folder)
      throw error
    }
  })
}

/** The running cluster of this name, or undefined. */
export async function openCluster(
  name: string = defaultName,
  stateDir: string = defaultStateDir,
): Promise<Cluster | undefined> {
  const record = readRecord(clusterFolder(stateDir, name))
  return record !== undefined && (await isRunning(record)) ? toCluster(record, stateDir) : undefined
}

/** Removes a cluster, also what a crash left of it. Does nothing when there is none. */
export async function stopCluster(name: string = defaultName, stateDir: string = defaultStateDir): Promise<void> {
  const folder = clusterFolder(stateDir, name)
  await withLock(`${folder}.lock`, () => remove(readRecord(folder), folder))
}

/** Removes what an unfinished start of this very process has made; that start holds the lock and will not go on. */
export async function stopInterrupted(name: string = defaultName, stateDir: string = defaultStateDir): Promise<void> {
  const folder = clusterFolder(stateDir, name)
  await remove(readRecord(folder), folder)
  await rm(`${folder}.lock`, { force: true })
}

export interface ClusterStatus {
  readonly name: string
  readonly mode: ClusterMode
  readonly state: 'running' | 'crashed'
  readonly server: string
}

/** All clusters of this checkout, running or left by a crash. */
export async function listClusters(stateDir: string = defaultStateDir): Promise<readonly ClusterStatus[]> {
  const found: ClusterStatus[] = []
  for (const name of recordedClusters(stateDir)) {
    const record = readRecord(clusterFolder(stateDir, name))
    if (record === undefined) continue
    const state = (await isRunning(record)) ? 'running' : 'crashed'
    found.push({ name, mode: record.mode, state, server: record.server })
  }
  return found
}

async function isRunning(record: ClusterRecord): Promise<boolean> {
  if (!record.ready) return false
  return record.backend === 'k3s' ? await isK3sRunning(record) : record.processes.every(isAlive)
}

async function remove(record: ClusterRecord | undefined, folder: string): Promise<void> {
  if (record?.backend === 'k3s') await removeK3s(record)
  if (record?.backend === 'native') await removeNative(record, folder)
  await rm(folder, { recursive: true, force: true })
}

/** A node needs root here; without it, K3s in a container does the same. */
async function chooseBackend(mode: ClusterMode, name: string): Promise<typeof startNativeNode> {
  if (mode === 'control-plane') return startNativeControlPlane
  if (process.getuid?.() === 0) return startNativeNode
  if (await canUseDocker()) return startK3s
  throw new Error(
    `Cluster ${name} needs root for its node, or a Docker that this user may use; a control plane alone needs neither`,
  )
}

function describe(record: ClusterRecord): string {
  return `${record.mode} ${record.audit ? 'with' : 'without'} auditing`
}

function toCluster(record: ClusterRecord, stateDir: string): Cluster {
  const folder = clusterFolder(stateDir, record.name)
  const { name, mode, server, nodeAddress, podCidr, serviceCidr } = record
  return {
    name,
    mode,
    kubeconfig: join(folder, 'kubeconfig'),
    server,
    nodeAddress,
    podCidr,
    serviceCidr,
    ...(record.audit ? { auditLog: auditLogPath(folder) } : {}),
    logs: join(folder, 'logs'),
    loadImage: (archive) =>
      record.backend === 'k3s' ? loadK3sImage(record, archive) : loadNativeImage(record, archive),
    stop: () => stopCluster(name, stateDir),
  }
}
