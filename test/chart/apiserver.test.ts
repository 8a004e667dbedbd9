/** The chart against a real API server: dry runs, installing, upgrading, uninstalling, and what the fence refuses. */
import assert from 'node:assert/strict'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { stringify } from 'yaml'
import { type Cluster, startCluster, toolPath } from '../kubernetes/cluster.ts'
import { chart, helm, type Manifest, type Outcome, release, render, renderings, repository, run } from './support.ts'

let cluster: Cluster
let kubectlPath: string
let scratch: string

/** Kinds that other products bring. Here only their names matter: what they take is their own to judge. */
const foreignKinds = [
  ['monitoring.coreos.com', 'ServiceMonitor', 'servicemonitors'],
  ['monitoring.coreos.com', 'PrometheusRule', 'prometheusrules'],
  ['cert-manager.io', 'Certificate', 'certificates'],
] as const

function kubectl(...args: string[]): Promise<Outcome> {
  return run(kubectlPath, ['--kubeconfig', cluster.kubeconfig, ...args])
}

async function apply(manifests: readonly object[], ...args: string[]): Promise<Outcome> {
  const file = join(scratch, `${crypto.randomUUID()}.yaml`)
  await writeFile(file, manifests.map((manifest) => stringify(manifest)).join('---\n'))
  return kubectl('apply', '-f', file, ...args)
}

function succeeded(outcome: Outcome): Outcome {
  assert.equal(outcome.code, 0, outcome.stderr)
  return outcome
}

async function install(folder: string, ...args: string[]): Promise<Outcome> {
  return helm([
    'upgrade',
    '--install',
    release,
    folder,
    '--namespace',
    'scanfleet',
    '--kubeconfig',
    cluster.kubeconfig,
    ...args,
  ])
}

function namespace(name: string, restricted: boolean): object {
  const labels = Object.fromEntries(
    ['enforce', 'audit', 'warn'].map((mode) => [`pod-security.kubernetes.io/${mode}`, 'restricted']),
  )
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: restricted ? labels : {} } }
}

function foreignKind([group, kind, plural]: readonly [string, string, string]): object {
  const schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
  const version = { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }
  const names = { kind, plural, singular: kind.toLowerCase() }
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: { group, names, scope: 'Namespaced', versions: [version] },
  }
}

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

before(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'scanfleet-chart-'))
  const onProgress = (line: string) => console.error(line)
  kubectlPath = await toolPath('kubectl', onProgress)
  cluster = await startCluster({ name: `chart-${process.pid}`, mode: 'control-plane', onProgress })
  const restricted = ['scanfleet', 'team-a', 'team-b', 'code-scans'].map((name) => namespace(name, true))
  succeeded(await apply([...restricted, ...foreignKinds.map(foreignKind)]))
  succeeded(await kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s'))
})

after(async () => {
  await cluster?.stop()
  await rm(scratch, { recursive: true, force: true })
})

describe('every rendering', () => {
  // A dry run does not make the namespace that the objects after it lie in.
  before(async () => succeeded(await apply([namespace('scanfleet-scans', true)])))
  after(async () => succeeded(await kubectl('delete', 'namespace', 'scanfleet-scans', '--wait')))

  for (const rendering of renderings) {
    test(`${rendering} is accepted by the API server, without a warning of Pod Security`, async () => {
      const manifests = (await render({}, rendering)).filter(({ kind }) => kind !== 'Namespace')
      const { stderr } = succeeded(await apply(manifests, '--dry-run=server', '--validate=strict'))
      assert.equal(stderr, '')
    })
  }
})

describe('a release', () => {
  test('is installed, and says three commands that lead to the first finding', async () => {
    const { stdout } = succeeded(await install(chart))
    assert.equal(stdout.split('\n').filter((line) => line.startsWith('  kubectl ')).length, 3)
  })

  test('gives each process what it needs, and not more', async () => {
    const can = async (process: string, ...question: string[]) => {
      const { stdout } = await kubectl(
        'auth',
        'can-i',
        '--as',
        `system:serviceaccount:scanfleet:scanfleet-${process}`,
        ...question,
      )
      return stdout.trim() === 'yes'
    }
    assert.ok(await can('controller', 'get', 'secrets', '-n', 'default'))
    assert.ok(await can('controller', 'create', 'jobs', '-n', 'scanfleet-scans'))
    assert.ok(await can('controller', 'patch', 'scanruns', '--subresource=status', '-n', 'default'))
    assert.ok(await can('controller', 'get', 'namespace/scanfleet-scans', '-n', 'scanfleet-scans'))
    assert.ok(await can('gateway', 'patch', 'scanruns', '--subresource=status', '-n', 'default'))
    assert.ok(await can('gateway', 'create', 'tokenreviews.authentication.k8s.io'))
    const refused: readonly [string, ...string[]][] = [
      ['controller', 'list', 'secrets', '-n', 'default'],
      ['controller', 'watch', 'secrets', '-n', 'scanfleet-scans'],
      ['controller', 'create', 'jobs', '-n', 'default'],
      ['controller', 'create', 'pods', '-n', 'scanfleet-scans'],
      ['controller', 'create', 'pods', '--subresource=exec', '-n', 'scanfleet-scans'],
      ['controller', 'create', 'clusterrolebindings'],
      ['controller', 'create', 'scmconnections', '-n', 'default'],
      ['controller', 'patch', 'managedscans', '-n', 'default'],
      ['gateway', 'get', 'secrets', '-n', 'scanfleet'],
      ['gateway', 'get', 'scmconnections', '-n', 'default'],
      ['gateway', 'patch', 'scanruns', '-n', 'default'],
      ['gateway', 'create', 'jobs', '-n', 'scanfleet-scans'],
    ]
    for (const question of refused) assert.ok(!(await can(...question)), `must not: ${question.join(' ')}`)
  })

  test('takes every manifest of examples/', async () => {
    const examples = join(repository, 'examples')
    succeeded(
      await kubectl(
        'apply',
        '-f',
        join(examples, 'demo', 'namespace.yaml'),
        '-f',
        join(examples, 'github', 'namespace.yaml'),
      ),
    )
    const strict = ['--dry-run=server', '--validate=strict']
    const folders = ['-f', join(examples, 'demo'), '-f', join(examples, 'github')]
    const applied = succeeded(await kubectl('apply', ...folders, ...strict))
    const created = succeeded(await kubectl('create', '-f', join(examples, 'scan-run.yaml'), ...strict))
    assert.equal(applied.stderr + created.stderr, '')
  })

  test('carries changes of the CRDs when it is upgraded', async () => {
    const changed = join(scratch, 'chart')
    await cp(chart, changed, { recursive: true })
    const file = join(changed, 'templates', 'crds', 'scanruns.yaml')
    const definition = await readFile(file, 'utf8')
    await writeFile(file, definition.replace('shortNames: [scanrun]', 'shortNames: [scanrun, srun]'))
    succeeded(await install(changed))
    const { stdout } = await kubectl('get', 'crd', 'scanruns.scanfleet.dev', '-o', 'jsonpath={.spec.names.shortNames}')
    assert.deepEqual(JSON.parse(stdout), ['scanrun', 'srun'])
  })
})

describe('the namespace of the scans', () => {
  const allowed = scanPod()

  before(async () => {
    const account = {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'default', namespace: 'scanfleet-scans' },
    }
    succeeded(await apply([account]))
    await untilRefused({ hostNetwork: true })
  })

  /** Policies act a moment after they are there. */
  async function untilRefused(changes: object): Promise<void> {
    const end = Date.now() + 60_000
    for (;;) {
      const { code } = await apply([scanPod(changes, { labels: {} })], '--dry-run=server')
      const { code: good } = await apply([allowed], '--dry-run=server')
      if (code !== 0 && good === 0) return
      assert.ok(Date.now() < end, 'the admission policy never came into force')
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
  }

  test('takes the pod of a scan', async () => {
    succeeded(await apply([allowed], '--dry-run=server'))
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
      const { code, stderr } = await apply([scanPod(changes, metadata)], '--dry-run=server')
      assert.notEqual(code, 0)
      assert.match(stderr, message)
    })
  }

  test('refuses a debug container and another image in a pod that exists', async () => {
    const job = { apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'scan', namespace: 'scanfleet-scans' } }
    const template = { spec: { ...allowed.spec, restartPolicy: 'Never' } }
    const { stdout } = succeeded(
      await apply([{ ...job, spec: { suspend: true, template } }], '-o', 'jsonpath={.metadata.uid}'),
    )
    const owner = { ...allowed.metadata.ownerReferences[0], uid: stdout }
    succeeded(await apply([scanPod({}, { ownerReferences: [owner] })]))
    const other = JSON.stringify({ spec: { containers: [{ name: 'scan', image: 'attacker/tool:1' }] } })
    const patched = await kubectl('-n', 'scanfleet-scans', 'patch', 'pod', 'scan', '-p', other)
    assert.match(patched.stderr, /may not be replaced/)
    const debug = JSON.stringify({
      spec: { ephemeralContainers: [{ ...container, name: 'debug', targetContainerName: 'scan' }] },
    })
    const debugged = await kubectl(
      '-n',
      'scanfleet-scans',
      'patch',
      'pod',
      'scan',
      '--subresource=ephemeralcontainers',
      '-p',
      debug,
    )
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
    const create = async (spec: object, ...who: string[]) =>
      run(kubectlPath, ['--kubeconfig', cluster.kubeconfig, 'create', '--dry-run=server', '-f', '-', ...who], {
        input: stringify(policy(spec)),
      })

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
    succeeded(await apply([pod], '--dry-run=server'))
  })
})

describe('a release that is uninstalled', () => {
  test('keeps CRDs and what people wrote, and finds them again', async () => {
    const connection = {
      apiVersion: 'scanfleet.dev/v1alpha1',
      kind: 'ScmConnection',
      metadata: { name: 'kept', namespace: 'default' },
      spec: { provider: 'GitHub', owner: { organization: 'acme' }, credentials: { tokenSecretRef: { name: 'x' } } },
    }
    succeeded(await apply([connection]))
    succeeded(await helm(['uninstall', release, '--namespace', 'scanfleet', '--kubeconfig', cluster.kubeconfig]))
    succeeded(await kubectl('get', 'scmconnection', 'kept', '-n', 'default'))
    assert.notEqual((await kubectl('get', 'deployment', 'scanfleet-controller', '-n', 'scanfleet')).code, 0)
    succeeded(await kubectl('wait', '--for=delete', 'namespace/scanfleet-scans', '--timeout=120s'))
    succeeded(await install(chart))
    succeeded(await kubectl('get', 'scmconnection', 'kept', '-n', 'default'))
  })
})
