/**
 * Specification of the fence, from inside a real scan: the code host keeps it waiting in the middle of its clone, so that
 * its own two containers can be asked what they reach and what they may.
 */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { after, before, describe, test } from 'node:test'
import type { ScanRun } from '../../operator/api/kinds.ts'
import { labels } from '../../operator/api/names.ts'
import { resources } from '../../operator/kube/resources.ts'
import { failures, type GitHubServer } from '../scm-servers/github/index.ts'
import { gatewayDeployment, namespaces, openProduct, type Product } from '../support/product.ts'
import { until } from '../support/wait.ts'
import { type Container, circumstances, reachable } from './inside.ts'
import { createTeam, type Team } from './team.ts'

interface PodManifest {
  readonly metadata: {
    readonly name: string
    readonly labels: Record<string, string>
    readonly ownerReferences: unknown[]
  }
  readonly spec: {
    readonly containers: readonly Record<string, unknown>[]
    readonly volumes: readonly object[]
    readonly [field: string]: unknown
  }
}

describe('a scan in the middle of its clone', () => {
  let product: Product
  let host: GitHubServer
  let team: Team
  let run: ScanRun
  let clone: Container
  let scan: Container
  /** What a scan needs; what lives and is none of its business; what is always dark here, but must be dark to a scan too. */
  const addresses = { needed: [] as string[], forbidden: [] as string[], nowhere: [] as string[] }
  const closers: (() => void)[] = []

  before(async () => {
    product = await openProduct()
    host = await product.startCodeHost()
    host.script({ path: '^/acme/inventory\\.git/', times: 1000, does: failures.never() })
    team = await createTeam(product, host, 'isolation')
    await team.scan('one', { repositories: { include: ['acme/inventory'] } })
    run = await until('the pod waits for its clone', async () => {
      const [candidate] = await team.runs()
      const pod = candidate && (await podOf(candidate))
      return pod?.status?.phase === 'Running' && candidate
    })
    const pod = (await podOf(run))?.metadata.name ?? ''
    clone = { namespace: namespaces.scans, pod, container: 'clone' }
    scan = { namespace: namespaces.scans, pod, container: 'scan' }
    await collectAddresses()
  })
  after(async () => {
    for (const close of closers) close()
    await team?.remove()
    await host?.stop()
    await product?.close()
  })

  async function podOf({ metadata: { uid } }: ScanRun) {
    const { items } = await product.client.list(resources.pods, namespaces.scans, {
      labelSelector: `${labels.run}=${uid}`,
    })
    return items[0]
  }

  async function collectAddresses(): Promise<void> {
    const { client, cluster } = product
    const service = await client.get(resources.services, namespaces.operator, gatewayDeployment)
    const gateway = service?.spec.clusterIP ?? ''
    const api = await client.get(resources.services, 'default', 'kubernetes')
    const { hostname: node, port: apiPort } = new URL(cluster.server)
    const operator = await client.list(resources.pods, namespaces.operator)
    const health = operator.items.map((pod) => `tcp://${pod.status?.podIP}:8081`)
    const { port } = new URL(host.url)
    addresses.needed = [`tcp://${cluster.nodeAddress}:${port}`, `tcp://${gateway}:8443`]
    addresses.forbidden = [
      `tcp://${api?.spec.clusterIP}:443`,
      `tcp://${node}:${apiPort}`,
      `tcp://${node}:10250`,
      `tcp://${gateway}:8444`,
      ...health,
      `tcp://${cluster.nodeAddress}:${await listen(cluster.nodeAddress)}`,
      `udp://${cluster.nodeAddress}:${await answerDatagrams(cluster.nodeAddress)}`,
    ]
    addresses.nowhere = ['tcp://169.254.169.254:80', 'tcp://1.1.1.1:443', 'udp://1.1.1.1:53']
  }

  async function listen(address: string): Promise<number> {
    const server = createServer((socket) => socket.on('error', () => undefined).end()).listen(0, address)
    closers.push(() => server.close())
    await once(server, 'listening')
    return (server.address() as { port: number }).port
  }

  async function answerDatagrams(address: string): Promise<number> {
    const socket = createSocket('udp4')
    socket.on('message', (_, { address, port }) => socket.send('yes', port, address))
    closers.push(() => socket.close())
    await new Promise<void>((resolve) => socket.bind(0, address, resolve))
    return socket.address().port
  }

  const all = () => [...addresses.needed, ...addresses.forbidden, ...addresses.nowhere]

  test('it reaches its code host and the gateway, and nothing else', async () => {
    for (const container of [clone, scan])
      assert.deepEqual(await reachable(product, container, all()), addresses.needed, container.container)
  })

  test('it is its policies that stop it: opened by an administrator, the same pod reaches what lives', async () => {
    const name = 'opened-by-a-test'
    const podSelector = { matchLabels: { [labels.run]: run.metadata.uid } }
    const spec = { podSelector, policyTypes: ['Egress'], egress: [{}] }
    const policy = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name }, spec }
    await product.client.create(resources.networkPolicies, namespaces.scans, policy)
    const living = [...addresses.needed, ...addresses.forbidden]
    try {
      await until('all doors are open', async () => {
        const open = await reachable(product, scan, living)
        return open.length === living.length || assert.deepEqual(open, living)
      })
    } finally {
      await product.client.delete(resources.networkPolicies, namespaces.scans, name)
    }
    await until('all doors are closed again', async () => {
      const open = await reachable(product, scan, living)
      return open.length === addresses.needed.length || assert.deepEqual(open, addresses.needed)
    })
  })

  test('each container has only its own secrets, no service account, no names to look up, no sight of the other', async () => {
    const [ofClone, ofScan] = [await circumstances(product, clone), await circumstances(product, scan)]
    assert.deepEqual(ofClone.secrets, ['code-host-ca.crt', 'token'])
    assert.deepEqual(ofScan.secrets, ['gateway-ca.crt', 'upload-token'])
    for (const { hasServiceAccount, lookup, environment } of [ofClone, ofScan]) {
      assert.equal(hasServiceAccount, false)
      assert.notEqual(lookup, 'found')
      assert.deepEqual(
        environment.filter((name) => !name.startsWith('KUBERNETES_') && /_SERVICE_|_PORT|TOKEN|SECRET/.test(name)),
        [],
      )
    }
    assert.ok(ofClone.processes.some((command) => command.includes('scanfleet-clone')))
    assert.ok(!ofScan.processes.some((command) => command.includes('scanfleet-clone')))
  })

  test('its root is nobody on the machine, it has no capability, and only its own volumes can be written', async () => {
    for (const container of [clone, scan]) {
      const { userMap, status, writes } = await circumstances(product, container)
      assert.ok((userMap[0] ?? 0) >= 65_536, `root of the pod is user ${userMap[0]} of the machine`)
      assert.equal(BigInt(`0x${status['CapEff']}`) | BigInt(`0x${status['CapBnd']}`), 0n)
      assert.deepEqual([status['NoNewPrivs'], status['Seccomp']], ['1', '2'])
      const writable = Object.entries(writes).flatMap(([folder, error]) => (error === '' ? [folder] : []))
      assert.deepEqual(writable, container === clone ? ['/tmp', '/workspace'] : ['/tmp'])
    }
  })

  describe('whoever could create pods in its namespace', () => {
    let like: PodManifest

    before(async () => {
      const text = await product.kubectl(['get', 'pod', clone.pod, '-n', namespaces.scans, '-o', 'json'])
      const { metadata, spec } = JSON.parse(text) as PodManifest & { spec: { nodeName: string } }
      const { nodeName: _, ...rest } = spec
      const { labels: podLabels, ownerReferences } = metadata
      like = { metadata: { name: 'like-a-scan', labels: podLabels, ownerReferences }, spec: rest }
    })

    function create({ metadata, spec }: PodManifest): Promise<unknown> {
      const pod = { apiVersion: 'v1', kind: 'Pod', metadata, spec }
      return product.client.create(resources.pods, namespaces.scans, pod, { dryRun: true })
    }
    const withSpec = (changes: object): PodManifest => ({ ...like, spec: { ...like.spec, ...changes } })
    const withContainers = (changes: object) =>
      withSpec({ containers: like.spec.containers.map((container) => ({ ...container, ...changes })) })

    test('gets a pod that is like a scan in everything', async () => {
      await assert.doesNotReject(create(like))
    })

    const token = { projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } }
    const refusals: readonly [string, () => PodManifest, RegExp][] = [
      ['another image', () => withContainers({ image: product.images.operator.repository }), /Only the scanner image/],
      ['a privileged container', () => withContainers({ securityContext: { privileged: true } }), /privileged/],
      ['a writable root', () => withContainers({ securityContext: almost }), /need a read-only root/],
      ['the network of the node', () => withSpec({ hostNetwork: true, hostUsers: undefined }), /violates PodSecurity/],
      [
        'a service account token',
        () => withSpec({ automountServiceAccountToken: true }),
        /automountServiceAccountToken/,
      ],
      [
        'one by a volume',
        () => withSpec({ volumes: [...like.spec.volumes, { name: 'token', ...token }] }),
        /only be emptyDir and Secret/,
      ],
      [
        'a pod of its own, without a Job',
        () => ({ ...like, metadata: { ...like.metadata, ownerReferences: [] } }),
        /Only pods of Jobs/,
      ],
    ]
    for (const [wish, pod, sentence] of refusals)
      test(`does not get ${wish}`, async () => {
        await assert.rejects(create(pod()), sentence)
      })

    test('does not get a debug container beside source code', async () => {
      const debug = ['debug', clone.pod, '-n', namespaces.scans, '--image', 'busybox', '--profile=restricted']
      await assert.rejects(product.kubectl([...debug, '--attach=false']), /Debug containers are refused/)
    })
  })

  test('whoever steals the identity of the controller opens no door that is wider than a scan', async () => {
    const controller = ['--as', `system:serviceaccount:${namespaces.operator}:scanfleet-controller`]
    const scans = ['-n', namespaces.scans]
    const may = async (...args: string[]) =>
      (await product.kubectl(['auth', 'can-i', ...args, ...controller]).catch(() => 'no')).trim()
    assert.equal(await may('create', 'jobs', ...scans), 'yes')
    assert.equal(await may('create', 'pods', ...scans), 'no')
    assert.equal(await may('create', 'pods/exec', ...scans), 'no')
    assert.equal(await may('delete', 'networkpolicies/default-deny', ...scans), 'no')
    assert.equal(await may('list', 'secrets', '-n', 'kube-system'), 'no')
  })
})

const almost = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: false,
  runAsNonRoot: true,
  capabilities: { drop: ['ALL'] },
}
