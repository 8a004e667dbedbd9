/**
 * One job: the namespaces (processes, mounts, network) in which a whole node lives, and its way to the machine.
 * Invariant: ending the sandbox's first process ends every process of the node, and with the last of them the kernel drops
 * all its mounts, links, firewall rules and sets. Outside remain one link, three rules, control groups and empty folders,
 * which `removeSandbox` removes.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Addresses, linkName } from './addresses.ts'
import { makeCgroups, removeCgroups } from './cgroups.ts'
import { withLock } from './lock.ts'
import { execute, firstChild, type RecordedProcess, start, stop } from './processes.ts'

export interface Sandbox {
  readonly keeper: RecordedProcess
  readonly first: RecordedProcess
}

/** Folders that programs of a node insist on. The node has its own over them; the machine needs them as mount points. */
const insistedFolders = ['/var/lib/kubelet', '/var/lib/cni', '/var/log/containers']
/**
 * Settings of the machine's kernel that a kubelet insists on and would change. The node sees files of its own in their place,
 * so that the machine keeps what it had.
 */
const kernelSettings = [
  ['vm/overcommit_memory', 1],
  ['vm/panic_on_oom', 0],
  ['kernel/panic', 10],
  ['kernel/panic_on_oops', 1],
  ['kernel/keys/root_maxkeys', 1_000_000],
  ['kernel/keys/root_maxbytes', 25_000_000],
] as const
const forwarding = '/proc/sys/net/ipv4/ip_forward'
const machineLock = '/run/lock/scanfleet-sandboxes.lock'

/** Starts the first process of the namespaces; `record` is called with it at once. */
export async function startSandbox(
  pause: string,
  logFile: string,
  record: (keeper: RecordedProcess) => void,
): Promise<Sandbox> {
  const command = [
    'unshare',
    '--mount',
    '--net',
    '--pid',
    '--uts',
    '--ipc',
    '--fork',
    '--kill-child=SIGKILL',
    '--propagation',
    'private',
    pause,
  ]
  const keeper = start({ name: 'sandbox', command, logFile })
  record(keeper)
  return { keeper, first: await firstChild('sandbox-init', keeper) }
}

/** The command line that runs `command` inside. */
export function inside(first: RecordedProcess, command: readonly string[]): readonly string[] {
  return ['nsenter', `--target=${first.pid}`, '--mount', '--net', '--pid', '--uts', '--ipc', '--', ...command]
}

/** Connects the sandbox with the machine and gives it its own /proc, /run and the folders that a node writes to. */
export async function furnishSandbox(
  sandbox: Sandbox,
  block: number,
  addresses: Addresses,
  folder: string,
): Promise<void> {
  const mtu = await outwardMtu()
  const link = linkName(block)
  makeCgroups(cgroupName(block))
  await withLock(machineLock, async () => {
    for (const path of insistedFolders) mkdirSync(path, { recursive: true })
    await outside(sandbox, link, addresses, mtu)
  })
  for (const name of ['kubelet', 'pod-logs']) mkdirSync(join(folder, name), { recursive: true })
  const script = `set -e
    mount -t proc proc /proc
    ip link set lo up
    ip link set ${link}n name eth0
    ip address add ${addresses.listen}/30 dev eth0
    ip link set eth0 mtu ${mtu} up
    ip route add default via ${addresses.nodeAddress}
    echo 1 > ${forwarding}
    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir -p /run/kubelet /run/pod-logs /run/proc /run/lock
    mount --bind "$1/kubelet" /run/kubelet
    mount --bind "$1/pod-logs" /run/pod-logs
    for own in ${insistedFolders.join(' ')}; do mount -t tmpfs -o mode=755 tmpfs $own; done
    # User namespaces need one /proc with nothing mounted over it.
    mount -t proc proc /run/proc
    ${kernelSettings.map(([path, value]) => `own=/run/$(basename ${path}); echo ${value} > $own; mount --bind $own /proc/sys/${path}`).join('\n    ')}`
  await execute(inside(sandbox.first, ['sh', '-c', script, 'furnish', folder]))
}

/** Removes everything, also what a crash left half made. */
export async function removeSandbox(
  block: number,
  processes: readonly RecordedProcess[],
  forwardingWasOff: boolean,
): Promise<void> {
  await stop(processes, 0)
  const link = linkName(block)
  if (existsSync(`/sys/class/net/${link}`)) {
    // The kernel removes the link with the namespace at the other end, perhaps right now.
    await execute(['ip', 'link', 'delete', link]).catch((error: Error) => {
      if (existsSync(`/sys/class/net/${link}`)) throw error
    })
  }
  for (const rule of machineRules(block)) {
    while (await succeeds(['iptables', '-w', '-t', rule.table, '-D', ...rule.rule]));
  }
  await removeCgroups(cgroupName(block))
  await withLock(machineLock, async () => leaveMachine(forwardingWasOff))
}

export function cgroupName(block: number): string {
  return linkName(block)
}

/** True when the machine does not forward packets yet, so that a node has to switch it on and off again. */
export function isForwardingOff(): boolean {
  return readFileSync(forwarding, 'utf8').trim() === '0'
}

async function outside(sandbox: Sandbox, link: string, addresses: Addresses, mtu: number): Promise<void> {
  const block = Number(link.replace(/\D+/, ''))
  await execute(['ip', 'link', 'set', `${link}n`, 'netns', String(sandbox.first.pid)])
  await execute(['ip', 'address', 'add', `${addresses.nodeAddress}/30`, 'dev', link])
  await execute(['ip', 'link', 'set', link, 'mtu', String(mtu), 'up'])
  for (const range of [addresses.podCidr, addresses.serviceCidr])
    await execute(['ip', 'route', 'add', range, 'via', addresses.listen])
  for (const { table, rule } of machineRules(block)) await execute(['iptables', '-w', '-t', table, '-I', ...rule])
  if (isForwardingOff()) writeFileSync(forwarding, '1')
}

/** Pods reach what the machine reaches, also where another tool (Docker) refuses to forward by default. */
function machineRules(block: number): readonly { table: string; rule: readonly string[] }[] {
  const link = linkName(block)
  const comment = ['-m', 'comment', '--comment', link]
  return [
    {
      table: 'nat',
      rule: ['POSTROUTING', '-s', `10.${block}.0.0/16`, '!', '-o', link, ...comment, '-j', 'MASQUERADE'],
    },
    { table: 'filter', rule: ['FORWARD', '-i', link, ...comment, '-j', 'ACCEPT'] },
    { table: 'filter', rule: ['FORWARD', '-o', link, ...comment, '-j', 'ACCEPT'] },
  ]
}

/** What all nodes of this machine share goes with the last of them. */
function leaveMachine(forwardingWasOff: boolean): void {
  const links = readdirSync('/sys/class/net')
  if (links.some((link) => /^scanfleet\d+$/.test(link))) return
  for (const path of insistedFolders) {
    try {
      rmdirSync(path)
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code
      if (code !== 'ENOENT' && code !== 'ENOTEMPTY' && code !== 'EBUSY') throw error
    }
  }
  // Somebody else's bridge (Docker's, a virtual machine's) may have come to rely on forwarding meanwhile.
  const bridged = links.some((link) => existsSync(`/sys/class/net/${link}/bridge`))
  if (forwardingWasOff && !bridged) writeFileSync(forwarding, '0')
}

async function outwardMtu(): Promise<number> {
  const [, device] = /\bdev (\S+)/.exec(await execute(['ip', '-4', 'route', 'show', 'default'])) ?? []
  return device === undefined ? 1500 : Number(readFileSync(`/sys/class/net/${device}/mtu`, 'utf8'))
}

function succeeds(command: readonly string[]): Promise<boolean> {
  return execute(command).then(
    () => true,
    () => false,
  )
}
