/** One job: start and remove a cluster whose components run on this machine itself. */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Addresses, blockAddresses, claimBlock, loopbackAddresses } from './addresses.ts'
import { ensureBinaries, ensurePackages, type Progress } from './binaries.ts'
import { startControlPlane } from './control-plane.ts'
import { importImage } from './images.ts'
import type { Instance } from './instance.ts'
import { startNode, startRuntime } from './node.ts'
import { createPki } from './pki.ts'
import { start, stop } from './processes.ts'
import { cgroupName, furnishSandbox, inside, isForwardingOff, removeSandbox, startSandbox } from './sandbox.ts'
import { type ClusterRecord, writeRecord } from './state.ts'

export interface NativeOptions {
  readonly name: string
  readonly folder: string
  readonly audit: boolean
  readonly onProgress: Progress
}

const nodePackages = ['containernetworking-plugins', 'iptables', 'ipset', 'conntrack', 'iproute2', 'util-linux']

/** Starts etcd, the API server and the controller manager on the loopback device. Needs no root. */
export async function startNativeControlPlane(options: NativeOptions): Promise<ClusterRecord> {
  const bin = await ensureBinaries('kubernetes', options.onProgress)
  options.onProgress('starting etcd, kube-apiserver and kube-controller-manager')
  const addresses = await loopbackAddresses()
  const record = new Recorder(options.folder, initialRecord(options, 'control-plane', addresses))
  const instance = await prepare({ options, bin, addresses, record, wrap: (command) => command })
  await startControlPlane(instance)
  return record.update({ ready: true })
}

/** Starts a whole node in namespaces of its own. Needs root. */
export async function startNativeNode(options: NativeOptions): Promise<ClusterRecord> {
  await ensurePackages(nodePackages)
  const bin = await ensureBinaries('kubernetes', options.onProgress)
  const containerdBin = await ensureBinaries('containerd', options.onProgress)
  const runcBin = await ensureBinaries('runc', options.onProgress)

  options.onProgress('starting containerd and the control plane')
  const forwardingWasOff = isForwardingOff()
  const block = await claimBlock()
  const addresses = blockAddresses(block)
  const record = new Recorder(options.folder, { ...initialRecord(options, 'node', addresses), block, forwardingWasOff })
  mkdirSync(join(options.folder, 'logs'), { recursive: true })
  const sandbox = await startSandbox(join(bin, 'pause'), join(options.folder, 'logs', 'sandbox.log'), (keeper) =>
    record.add(keeper),
  )
  record.update({ sandbox: sandbox.first })
  await furnishSandbox(sandbox, block, addresses, options.folder)
  const instance = await prepare({ options, bin, addresses, record, wrap: (command) => inside(sandbox.first, command) })

  const node = { instance, containerdBin, runcBin, sandbox: sandbox.first, cgroup: cgroupName(block) }
  startRuntime(node)
  await startControlPlane(instance)
  options.onProgress('starting kubelet, kube-scheduler, kube-proxy and the network policy controller')
  await startNode(node)
  return record.update({ ready: true })
}

/** Removes whatever is left of the cluster, in whatever state it is. */
export async function removeNative(record: ClusterRecord, folder: string): Promise<void> {
  const processes = record.sandbox === undefined ? record.processes : [record.sandbox, ...record.processes]
  if (record.block === undefined) await stop(processes, 0)
  else await removeSandbox(record.block, processes, record.forwardingWasOff ?? false)
  rmSync(folder, { recursive: true, force: true })
}

export async function loadNativeImage(record: ClusterRecord, archive: string): Promise<void> {
  if (record.sandbox === undefined)
    throw new Error(`Cluster ${record.name} has no node to load images into: start it with mode node`)
  await importImage(record.sandbox, await ensureBinaries('containerd', () => undefined), archive)
}

function initialRecord(options: NativeOptions, mode: ClusterRecord['mode'], addresses: Addresses): ClusterRecord {
  const { name, audit } = options
  const { nodeAddress, podCidr, serviceCidr } = addresses
  const server = `https://${addresses.listen}:${addresses.ports.apiServer}`
  return {
    name,
    mode,
    backend: 'native',
    audit,
    ready: false,
    server,
    nodeAddress,
    podCidr,
    serviceCidr,
    processes: [],
  }
}

interface Preparation {
  readonly options: NativeOptions
  readonly bin: string
  readonly addresses: Addresses
  readonly record: Recorder
  /** Turns a component's command line into the one that starts it where it belongs. */
  readonly wrap: (command: readonly string[]) => readonly string[]
}

async function prepare({ options, bin, addresses, record, wrap }: Preparation): Promise<Instance> {
  const { folder } = options
  const { name, mode, audit, server } = record.current
  mkdirSync(join(folder, 'logs'), { recursive: true })
  const logFile = (component: string) => join(folder, 'logs', `${component}.log`)
  const launch: Instance['launch'] = (component, command, env = {}) =>
    record.add(start({ name: component, command: wrap(command), logFile: logFile(component), env }))
  const pki = await createPki(join(folder, 'pki'))
  return { name, folder, audit, mode, bin, addresses, server, pki, logFile, launch, processes: record.processes }
}

/** Keeps the record on disk in step with what was started. */
class Recorder {
  readonly processes: ClusterRecord['processes'] = []
  readonly #folder: string
  #record: ClusterRecord

  constructor(folder: string, record: ClusterRecord) {
    this.#folder = folder
    this.#record = record
    this.update({})
  }

  get current(): ClusterRecord {
    return this.#record
  }

  add(process: ClusterRecord['processes'][number]): ClusterRecord['processes'][number] {
    this.processes.push(process)
    this.update({})
    return process
  }

  update(change: Partial<ClusterRecord>): ClusterRecord {
    this.#record = { ...this.#record, ...change, processes: this.processes }
    writeRecord(this.#folder, this.#record)
    return this.#record
  }
}
