/** Specification of a whole node: pods, their isolation, and that nothing of it stays on the machine. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { ensureBinaries } from './binaries.ts'
import { type Cluster, listClusters, openCluster, startCluster, stopCluster } from './cluster.ts'
import { probeImage, writeProbeImage } from './images.ts'
import { execute } from './processes.ts'
import { eventually, kubectl, listing, processesThatMention } from './support.ts'

const namespace = 'restricted'

describe('node', () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'scanfleet-clusters-'))
  let cluster: Cluster
  let archive: string

  before(async () => {
    cluster = await startCluster({ name: 'pods', mode: 'node', stateDir })
    archive = join(stateDir, 'probe.tar')
    writeProbeImage(join(await ensureBinaries('kubernetes', () => undefined), 'probe'), archive)
    await cluster.loadImage(archive)
    await kubectl(cluster, ['create', 'namespace', namespace])
    await kubectl(cluster, ['label', 'namespace', namespace, 'pod-security.kubernetes.io/enforce=restricted'])
    await eventually(
      () => inNamespace('get', 'serviceaccounts'),
      (text) => text.includes('default'),
    )
  })
  after(async () => {
    for (const { name } of await listClusters(stateDir)) await stopCluster(name, stateDir)
    rmSync(stateDir, { recursive: true })
  })

  function inNamespace(...args: readonly string[]): Promise<string> {
    return kubectl(cluster, [`--namespace=${namespace}`, ...args])
  }

  async function phaseOf(name: string): Promise<string> {
    return await inNamespace('get', 'pod', name, '--output=jsonpath={.status.phase}')
  }

  async function run(name: string, args: readonly string[]): Promise<void> {
    await kubectl(cluster, ['apply', '--filename=-'], [restrictedPod(name, args)])
  }

  it('is Ready', async () => {
    const ready = '--output=jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}'

    assert.equal(await kubectl(cluster, ['get', 'nodes', ready]), 'True')
  })

  it('runs a restricted pod in a user namespace: its user is nobody on the machine', async () => {
    await run('identity', ['identity'])
    await eventually(
      () => phaseOf('identity'),
      (phase) => phase === 'Succeeded' || phase === 'Failed',
    )

    const [, uid, inside, outside, length] =
      /uid (\d+) map (\d+) (\d+) (\d+)/.exec(await inNamespace('logs', 'identity')) ?? []

    assert.deepEqual([uid, inside, length], ['65532', '0', '65536'])
    assert.ok(Number(outside) >= 65_536, `the pod's users start at ${outside} on the machine`)
  })

  it('refuses what a network policy does not allow, and only that', async (context) => {
    await run('server', ['listen', ':8080'])
    await run('client', ['listen', ':8080'])
    await eventually(
      () => phaseOf('server'),
      (phase) => phase === 'Running',
    )
    await eventually(
      () => phaseOf('client'),
      (phase) => phase === 'Running',
    )
    const machine = await listenOn(cluster.nodeAddress)
    context.after(() => machine.server.close())
    const server = `${await inNamespace('get', 'pod', 'server', '--output=jsonpath={.status.podIP}')}:8080`
    const { hostname, port } = new URL(cluster.server)
    const forbidden = [`${cluster.nodeAddress}:${machine.port}`, `${hostname}:${port}`]
    const all = [server, ...forbidden]
    const reach = async () => {
      const output = await inNamespace('exec', 'client', '--', '/program', 'dial', '2', ...all)
      return all.filter((address) => output.includes(`${address} open`))
    }

    const open = await eventually(reach, (addresses) => addresses.length === all.length)
    await kubectl(cluster, ['apply', '--filename=-'], [onlyToServer])
    const fenced = await eventually(reach, (addresses) => addresses.length === 1)
    await inNamespace('delete', 'networkpolicy', 'only-to-server')
    const openAgain = await eventually(reach, (addresses) => addresses.length === all.length)

    assert.deepEqual(open, all)
    assert.deepEqual(fenced, [server])
    assert.deepEqual(openAgain, all)
  })

  it('leaves the machine as it was: a second node comes, is killed, comes again and goes', async () => {
    const kernel = kernelSettings()
    const folder = join(stateDir, 'doomed')
    const killed = await startCluster({ name: 'doomed', mode: 'node', stateDir })
    for (const pid of processesThatMention(folder)) process.kill(pid, 'SIGKILL')
    await eventually(
      () => openCluster('doomed', stateDir),
      (found) => found === undefined,
    )

    const again = await startCluster({ name: 'doomed', mode: 'node', stateDir })
    await again.loadImage(archive)
    const present = await tracesOf(again, folder)
    await again.stop()

    assert.notEqual(again.podCidr, cluster.podCidr)
    assert.deepEqual(present, {
      link: true,
      rules: 3,
      routes: true,
      mounts: 0,
      cgroups: true,
      kubernetesRules: 0,
      processes: true,
    })
    const nothing = {
      link: false,
      rules: 0,
      routes: false,
      mounts: 0,
      cgroups: false,
      kubernetesRules: 0,
      processes: false,
    }
    assert.deepEqual(await tracesOf(again, folder), nothing)
    assert.deepEqual(await tracesOf(killed, folder), nothing)
    assert.deepEqual(kernelSettings(), kernel)
    assert.equal(
      await kubectl(cluster, ['get', 'namespace', namespace, '--output=name']),
      `namespace/${namespace}\n`,
      'the first node goes on',
    )
  })
})

/** What of a node can be seen on the machine. Only this node is looked at: others may come and go meanwhile. */
async function tracesOf(cluster: Cluster, folder: string): Promise<object> {
  const [, block = ''] = cluster.podCidr.split('.')
  const link = `scanfleet${block}`
  const rules = (await execute(['iptables-save'])).split('\n').filter((line) => line.startsWith('-A'))
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n')
  const hierarchies = mounts.filter((line) => / cgroup2? /.test(line)).map((line) => line.split(' ')[1] ?? '')
  return {
    link: listing('/sys/class/net').includes(link),
    rules: rules.filter((rule) => rule.includes(`--comment ${link} `)).length,
    routes: (await execute(['ip', '-4', 'route'])).includes(`10.${block}.`),
    mounts: mounts.filter((line) => line.includes(folder) || line.includes('/var/lib/kubelet')).length,
    cgroups: hierarchies.some((path) => listing(path).includes(link)),
    kubernetesRules: rules.filter((rule) => rule.includes(`10.${block}.`) && rule.includes('KUBE-')).length,
    processes: processesThatMention(folder).length > 0,
  }
}

/** Settings that a kubelet would change for the whole machine. */
function kernelSettings(): readonly string[] {
  return ['vm/overcommit_memory', 'kernel/panic', 'kernel/panic_on_oops'].map((name) =>
    readFileSync(`/proc/sys/${name}`, 'utf8'),
  )
}

function restrictedPod(name: string, args: readonly string[]): object {
  const securityContext = {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  }
  const container = {
    name: 'probe',
    image: probeImage,
    args,
    securityContext,
    volumeMounts: [{ name: 'scratch', mountPath: '/tmp' }],
  }
  const spec = {
    hostUsers: false,
    restartPolicy: 'Never',
    terminationGracePeriodSeconds: 0,
    automountServiceAccountToken: false,
    dnsPolicy: 'Default',
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 65_532,
      fsGroup: 65_532,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    volumes: [{ name: 'scratch', emptyDir: { sizeLimit: '16Mi' } }],
    containers: [container],
  }
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, labels: { app: name } }, spec }
}

const onlyToServer = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'only-to-server', namespace },
  spec: {
    podSelector: { matchLabels: { app: 'client' } },
    policyTypes: ['Egress'],
    egress: [{ to: [{ podSelector: { matchLabels: { app: 'server' } } }], ports: [{ port: 8080 }] }],
  },
}

function listenOn(address: string): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => socket.on('error', () => undefined).end())
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, address, () => {
      const bound = server.address()
      if (bound === null || typeof bound === 'string') reject(new Error(`no port on ${address}`))
      else resolve({ server, port: bound.port })
    })
  })
}
