/** What the chart's admission policies let into the namespace of the scans, on a real API server. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type ChartCluster, startChartCluster, succeeded, toYaml } from './cluster.ts'
import { chart, type Manifest } from './support.ts'

let cluster: ChartCluster

/** The least that a scan pod is, as the controller makes them; `changes` go over its spec. */
function scanPod(changes: object = {}, metadata: object = {}): Manifest {
  const securityContext = {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  }
  const job = { apiVersion: 'batch/v1', kind: 'Job', name: 'scan', uid: '00000000-0000-0000-0000-000000000000' }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'scan',
      namespace: 'scanfleet-scans',
      labels: { 'app.kubernetes.io/component': 'scan' },
      ownerReferences: [job],
      ...metadata,
    },
    spec: {
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [{ name: 'scan', image: 'scanfleet/scanner:0.1.0', securityContext }],
      ...changes,
    },
  }
}

describe('the namespace of the scans', () => {
  const allowed = scanPod()

  before(async () => {
    cluster = await startChartCluster('chart-fence')
    succeeded(await cluster.install(chart))
    const account = {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'default', namespace: 'scanfleet-scans' },
    }
    succeeded(await cluster.apply([account]))
    await untilInForce()
  })

  after(() => cluster?.stop())

  /** Policies act a moment after they are there. Only the policy refuses this pod: Pod Security has nothing against it. */
  async function untilInForce(): Promise<void> {
    const unlabelled = scanPod({}, { labels: {} })
    const end = Date.now() + 60_000
    for (;;) {
      const { code } = await cluster.apply([unlabelled], '--dry-run=server')
      const { code: good } = await cluster.apply([allowed], '--dry-run=server')
      if (code !== 0 && good === 0) return
      assert.ok(Date.now() < end, 'the admission policy never came into force')
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
  }

  test('takes the pod of a scan', async () => {
    succeeded(await cluster.apply([allowed], '--dry-run=server'))
  })

  const container = allowed.spec.containers[0]
  const refused: readonly [string, object, object, RegExp][] = [
    ['another image', { containers: [{ ...container, image: 'attacker/tool:1' }] }, {}, /Only the scanner image/],
    [
      'another image to start with',
      { initContainers: [{ ...container, name: 'init', image: 'attacker/tool:1' }] },
      {},
      /Only the scanner image/,
    ],
    ['no label of a scan', {}, { labels: { app: 'x' } }, /app\.kubernetes\.io\/component must be scan/],
    ['no label at all', {}, { labels: null }, /app\.kubernetes\.io\/component must be scan/],
    ['no Job', {}, { ownerReferences: [] }, /Only pods of Jobs/],
    [
      'a token of the API server',
      { automountServiceAccountToken: true },
      {},
      /automountServiceAccountToken must be false/,
    ],
    [
      'nothing said about that token',
      { automountServiceAccountToken: undefined },
      {},
      /automountServiceAccountToken must be false/,
    ],
    [
      'a projected token of the API server',
      { volumes: [{ name: 't', projected: { sources: [{ serviceAccountToken: { path: 't' } }] } }] },
      {},
      /only be emptyDir and Secret/,
    ],
    ['shared processes', { shareProcessNamespace: true }, {}, /must not share/],
    [
      'a writable root',
      {
        containers: [
          { ...container, securityContext: { ...container.securityContext, readOnlyRootFilesystem: false } },
        ],
      },
      {},
      /read-only root/,
    ],
    ['the network of the node', { hostNetwork: true }, {}, /restricted|must not share/],
    [
      'root',
      { securityContext: { seccompProfile: { type: 'RuntimeDefault' } } },
      {},
      /restricted|must not run as root/,
    ],
  ]
  for (const [what, changes, metadata, message] of refused) {
    test(`refuses a pod with ${what}`, async () => {
      const { code, stderr } = await cluster.apply([scanPod(changes, metadata)], '--dry-run=server')
      assert.notEqual(code, 0)
      assert.match(stderr, message)
    })
  }

  test('refuses a debug container and another image in a pod that exists', async () => {
    const job = { apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'scan', namespace: 'scanfleet-scans' } }
    const template = { spec: { ...allowed.spec, restartPolicy: 'Never' } }
    const { stdout } = succeeded(
      await cluster.apply([{ ...job, spec: { suspend: true, template } }], '-o', 'jsonpath={.metadata.uid}'),
    )
    const owner = { ...allowed.metadata.ownerReferences[0], uid: stdout }
    succeeded(await cluster.apply([scanPod({}, { ownerReferences: [owner] })]))
    const other = JSON.stringify({ spec: { containers: [{ name: 'scan', image: 'attacker/tool:1' }] } })
    const patched = await cluster.kubectl(['-n', 'scanfleet-scans', 'patch', 'pod', 'scan', '-p', other])
    assert.match(patched.stderr, /may not be replaced/)
    const debug = JSON.stringify({
      spec: { ephemeralContainers: [{ ...container, name: 'debug', targetContainerName: 'scan' }] },
    })
    const debugged = await cluster.kubectl([
      '-n',
      'scanfleet-scans',
      'patch',
      'pod',
      'scan',
      '--subresource=ephemeralcontainers',
      '-p',
      debug,
    ])
    assert.match(debugged.stderr, /Debug containers are refused/)
  })

  describe('as the controller, to open the network', () => {
    const controller = ['--as', 'system:serviceaccount:scanfleet:scanfleet-controller']
    const ports = [{ protocol: 'TCP', port: 443 }]
    const way = { to: [{ ipBlock: { cidr: '192.0.2.1/32' } }], ports }
    const ofOneScan = { matchLabels: { 'scanfleet.dev/run-uid': '1' } }
    const policy = (spec: object) => ({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'opening', namespace: 'scanfleet-scans' },
      spec: { podSelector: ofOneScan, policyTypes: ['Ingress', 'Egress'], egress: [way], ...spec },
    })
    const create = (spec: object, ...who: string[]) =>
      cluster.kubectl(['create', '--dry-run=server', '-f', '-', ...who], toYaml([policy(spec)]))

    test('takes the way of one scan to named places', async () => {
      succeeded(await create({}, ...controller))
    })

    const tooWide: readonly [string, object, RegExp][] = [
      ['for all pods', { podSelector: {} }, /must select the pod of that scan/],
      ['to anywhere', { egress: [{ ports }] }, /must name single addresses/],
      [
        'to a network',
        { egress: [{ to: [{ ipBlock: { cidr: '10.0.0.0/8' } }], ports }] },
        /must name single addresses/,
      ],
      ['on every port', { egress: [{ to: way.to }] }, /must name single addresses/],
      ['to all pods', { egress: [{ to: [{ namespaceSelector: {} }], ports }] }, /must name single addresses/],
      ['from outside', { ingress: [{}] }, /Nobody may connect to a scan/],
    ]
    for (const [what, spec, message] of tooWide) {
      test(`refuses a way ${what}`, async () => {
        const { code, stderr } = await create(spec, ...controller)
        assert.notEqual(code, 0)
        assert.match(stderr, message)
      })
    }

    test('leaves administrators free', async () => {
      succeeded(await create({ podSelector: {} }))
    })
  })

  test('leaves every other namespace alone', async () => {
    const pod = scanPod({ shareProcessNamespace: true }, { namespace: 'default', ownerReferences: [] })
    succeeded(await cluster.apply([pod], '--dry-run=server'))
  })
})
