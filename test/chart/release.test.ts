/** The chart against a real API server: dry runs of every rendering, installing, upgrading, uninstalling. */
import assert from 'node:assert/strict'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type ChartCluster, restrictedNamespace, startChartCluster, succeeded } from './cluster.ts'
import { chart, render, renderings, repository } from './support.ts'

let cluster: ChartCluster
let scratch: string

/** Kinds that other products bring. Here only their names matter: what they take is their own to judge. */
const foreignKinds = [
  ['monitoring.coreos.com', 'ServiceMonitor', 'servicemonitors'],
  ['monitoring.coreos.com', 'PrometheusRule', 'prometheusrules'],
  ['cert-manager.io', 'Certificate', 'certificates'],
] as const

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

before(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'scanfleet-chart-'))
  cluster = await startChartCluster('chart-release')
  const others = ['team-a', 'team-b', 'code-scans'].map(restrictedNamespace)
  succeeded(await cluster.apply([...others, ...foreignKinds.map(foreignKind)]))
  succeeded(await cluster.kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s']))
})

after(async () => {
  await cluster?.stop()
  await rm(scratch, { recursive: true, force: true })
})

describe('every rendering', () => {
  // A dry run does not make the namespace that the objects after it lie in.
  before(async () => succeeded(await cluster.apply([restrictedNamespace('scanfleet-scans')])))
  after(async () => succeeded(await cluster.kubectl(['delete', 'namespace', 'scanfleet-scans', '--wait'])))

  for (const rendering of renderings) {
    test(`${rendering} is accepted by the API server, without a warning of Pod Security`, async () => {
      const manifests = (await render({}, rendering)).filter(({ kind }) => kind !== 'Namespace')
      const { stderr } = succeeded(await cluster.apply(manifests, '--dry-run=server', '--validate=strict'))
      assert.equal(stderr, '')
    })
  }
})

describe('a release', () => {
  test('is installed, and says three commands that lead to the first finding', async () => {
    const { stdout } = succeeded(await cluster.install(chart))
    assert.equal(stdout.split('\n').filter((line) => line.startsWith('  kubectl ')).length, 3)
  })

  test('gives each process what it needs, and not more', async () => {
    const can = async (process: string, ...question: string[]) => {
      const { stdout } = await cluster.kubectl([
        'auth',
        'can-i',
        '--as',
        `system:serviceaccount:scanfleet:scanfleet-${process}`,
        ...question,
      ])
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
      await cluster.kubectl([
        'apply',
        '-f',
        join(examples, 'demo', 'namespace.yaml'),
        '-f',
        join(examples, 'github', 'namespace.yaml'),
      ]),
    )
    const strict = ['--dry-run=server', '--validate=strict']
    const folders = ['-f', join(examples, 'demo'), '-f', join(examples, 'github')]
    const applied = succeeded(await cluster.kubectl(['apply', ...folders, ...strict]))
    const created = succeeded(await cluster.kubectl(['create', '-f', join(examples, 'scan-run.yaml'), ...strict]))
    assert.equal(applied.stderr + created.stderr, '')
  })

  test('carries changes of the CRDs when it is upgraded', async () => {
    const changed = join(scratch, 'chart')
    await cp(chart, changed, { recursive: true })
    const file = join(changed, 'templates', 'crds', 'scanruns.yaml')
    const definition = await readFile(file, 'utf8')
    await writeFile(file, definition.replace('shortNames: [scanrun]', 'shortNames: [scanrun, srun]'))
    succeeded(await cluster.install(changed))
    const { stdout } = await cluster.kubectl([
      'get',
      'crd',
      'scanruns.scanfleet.dev',
      '-o',
      'jsonpath={.spec.names.shortNames}',
    ])
    assert.deepEqual(JSON.parse(stdout), ['scanrun', 'srun'])
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
    succeeded(await cluster.apply([connection]))
    succeeded(await cluster.uninstall())
    succeeded(await cluster.kubectl(['get', 'scmconnection', 'kept', '-n', 'default']))
    assert.notEqual((await cluster.kubectl(['get', 'deployment', 'scanfleet-controller', '-n', 'scanfleet'])).code, 0)
    succeeded(await cluster.kubectl(['wait', '--for=delete', 'namespace/scanfleet-scans', '--timeout=120s']))
    succeeded(await cluster.install(chart))
    succeeded(await cluster.kubectl(['get', 'scmconnection', 'kept', '-n', 'default']))
  })
})
