/** One job: everything that makes a node of a sandbox: runtime, kubelet, scheduler, services, network policies. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { importImage, pauseImage, writePauseImage } from './images.ts'
import { ask, type Instance, until } from './instance.ts'
import { componentKubeconfig } from './kubeconfig.ts'
import { execute, type RecordedProcess } from './processes.ts'
import { inside } from './sandbox.ts'

export interface NodeOptions {
  readonly instance: Instance
  readonly containerdBin: string
  readonly runcBin: string
  readonly sandbox: RecordedProcess
  readonly cgroup: string
}

const containerdSocket = '/run/containerd/containerd.sock'

/** Starts containerd; it takes its time, so call it before the control plane and wait for it in `startNode`. */
export function startRuntime(options: NodeOptions): void {
  const { instance, containerdBin } = options
  mkdirSync(join(instance.folder, 'cni'), { recursive: true })
  writeFileSync(join(instance.folder, 'cni', '10-scanfleet.conflist'), JSON.stringify(podNetwork(instance)))
  const config = join(instance.folder, 'containerd.toml')
  writeFileSync(config, runtimeConfig(options))
  const path = `${containerdBin}:/usr/sbin:/usr/bin:/sbin:/bin`
  instance.launch('containerd', [join(containerdBin, 'containerd'), '--config', config], { PATH: path })
}

/** Starts the rest and returns when the node is Ready and network policies are enforced. */
export async function startNode(options: NodeOptions): Promise<void> {
  const { instance, sandbox, containerdBin } = options
  const { pki, server, addresses, name, bin } = instance

  const scheduler = await componentKubeconfig(pki, server, 'kube-scheduler', 'system:kube-scheduler')
  instance.launch('kube-scheduler', [
    join(bin, 'kube-scheduler'),
    `--kubeconfig=${scheduler}`,
    '--leader-elect=false',
    '--secure-port=0',
  ])

  const ctr = [join(containerdBin, 'ctr'), `--address=${containerdSocket}`, 'version']
  await until(instance, 'containerd answers', async () => Boolean(await execute(inside(sandbox, ctr))))
  const archive = join(instance.folder, 'pause.tar')
  writePauseImage(join(bin, 'pause'), archive)
  await importImage(sandbox, containerdBin, archive)

  const kubelet = await componentKubeconfig(pki, server, 'kubelet', `system:node:${name}`, 'system:nodes')
  instance.launch('kubelet', [
    join(bin, 'kubelet'),
    `--config=${writeKubeletConfig(options)}`,
    `--kubeconfig=${kubelet}`,
    `--hostname-override=${name}`,
    `--node-ip=${addresses.listen}`,
    '--root-dir=/run/kubelet',
    `--cert-dir=${join(pki.folder, 'kubelet')}`,
  ])
  const proxy = await componentKubeconfig(pki, server, 'kube-proxy', 'system:kube-proxy')
  instance.launch('kube-proxy', [join(bin, 'kube-proxy'), `--config=${writeProxyConfig(instance, proxy)}`])

  const node = `/api/v1/nodes/${name}`
  await until(instance, 'the node is registered', async () => (await ask(instance, node)).status === 200)
  const policy = await componentKubeconfig(pki, server, 'network-policy', 'network-policy', 'system:masters')
  const policyFlags = [`--kubeconfig=${policy}`, `--node=${name}`, `--service-cidr=${addresses.serviceCidr}`]
  instance.launch('network-policy', [join(bin, 'network-policy'), ...policyFlags])

  await until(instance, 'the node is Ready', async () => isReady(JSON.parse((await ask(instance, node)).body)))
  const chain = inside(sandbox, ['iptables', '-w', '-S', 'KUBE-ROUTER-FORWARD'])
  await until(instance, 'network policies are enforced', async () => Boolean(await execute(chain)))
}

interface NodeStatus {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
}

function isReady(node: NodeStatus): boolean {
  return node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false
}

/** A link of its own to the node for every pod: all traffic is routed, so every packet passes the policies. */
function podNetwork({ addresses }: Instance): object {
  const ipam = {
    type: 'host-local',
    dataDir: '/run/cni/addresses',
    ranges: [[{ subnet: addresses.podCidr }]],
    routes: [{ dst: '0.0.0.0/0' }],
  }
  const plugins = [
    { type: 'ptp', ipMasq: false, ipam },
    { type: 'portmap', capabilities: { portMappings: true } },
  ]
  return { cniVersion: '1.0.0', name: 'scanfleet', plugins }
}

function runtimeConfig({ instance, runcBin }: NodeOptions): string {
  return `version = 3
root = ${JSON.stringify(join(instance.folder, 'containerd'))}
state = "/run/containerd"
# It would make a folder in the machine's /opt.
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
address = "${containerdSocket}"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = "${pauseImage}"
[plugins.'io.containerd.cri.v1.runtime']
restrict_oom_score_adj = true
disable_apparmor = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ["/usr/lib/cni"]
conf_dir = ${JSON.stringify(join(instance.folder, 'cni'))}
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
BinaryName = ${JSON.stringify(join(runcBin, 'runc'))}
`
}

function writeKubeletConfig({ instance, cgroup }: NodeOptions): string {
  const resolvers = join(instance.folder, 'resolv.conf')
  writeFileSync(resolvers, usableResolvers())
  return writeConfig(instance, 'kubelet', {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: instance.pki.caFile },
    },
    authorization: { mode: 'Webhook' },
    // The process may lack the right to lower its own oom_score_adj or to change kernel settings.
    featureGates: { KubeletInUserNamespace: true },
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${cgroup}`,
    containerRuntimeEndpoint: `unix://${containerdSocket}`,
    enforceNodeAllocatable: [],
    // Disks of developers are full, and an image that was loaded by hand cannot be pulled again.
    evictionHard: {
      'memory.available': '50Mi',
      'nodefs.available': '1%',
      'nodefs.inodesFree': '1%',
      'imagefs.available': '1%',
    },
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    failSwapOn: false,
    podLogsDir: '/run/pod-logs',
    resolvConf: resolvers,
    volumePluginDir: join(instance.folder, 'volume-plugins'),
  })
}

function writeProxyConfig(instance: Instance, kubeconfig: string): string {
  return writeConfig(instance, 'kube-proxy', {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'iptables',
    clientConnection: { kubeconfig },
    clusterCIDR: instance.addresses.podCidr,
    hostnameOverride: instance.name,
    // These settings belong to the machine and cannot be written from a network namespace.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
  })
}

function writeConfig(instance: Instance, name: string, config: object): string {
  const path = join(instance.folder, `${name}.json`)
  writeFileSync(path, JSON.stringify(config, null, 2))
  return path
}

/** The machine's name servers, without those that only listen on its own loopback device. */
function usableResolvers(): string {
  const files = ['/run/systemd/resolve/resolv.conf', '/etc/resolv.conf'].filter((path) => existsSync(path))
  const lines = files[0] === undefined ? [] : readFileSync(files[0], 'utf8').split('\n')
  return `${lines.filter((line) => !/^nameserver\s+(127\.|::1)/.test(line)).join('\n')}\n`
}
