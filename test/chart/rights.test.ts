/**
 * The rights of the two processes and of people, rule by rule. A right that is added to the chart has to be added here
 * too, so that nobody widens them unseen.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { find, has, type Manifest, render } from './support.ts'

/** A rule as `verbs group/resource [names]`, in one line. */
function toLines(role: Manifest): string[] {
  return role.rules.flatMap((rule: Manifest) =>
    rule.resources.map((resource: string) => {
      const names = rule.resourceNames ? ` [${rule.resourceNames.join(' ')}]` : ''
      return `${rule.verbs.join(',')} ${rule.apiGroups[0] || 'core'}/${resource}${names}`
    }),
  )
}

const controllerEverywhere = [
  'get,list,watch,patch scanfleet.dev/scmconnections',
  'get,list,watch scanfleet.dev/managedscans',
  'get,list,watch,create,patch,delete scanfleet.dev/scmrepositories',
  'get,list,watch,create,patch,delete scanfleet.dev/scanruns',
  'patch scanfleet.dev/scmconnections/status',
  'patch scanfleet.dev/scmrepositories/status',
  'patch scanfleet.dev/managedscans/status',
  'patch scanfleet.dev/scanruns/status',
  'get core/secrets',
  'get core/configmaps',
  'create,patch core/events',
]

const gatewayEverywhere = [
  'get,list,watch scanfleet.dev/scanruns',
  'get,list,watch scanfleet.dev/scmrepositories',
  'patch scanfleet.dev/scanruns/status',
]

const expected: readonly [string, string, readonly string[]][] = [
  ['ClusterRole', 'scanfleet-controller', controllerEverywhere],
  [
    'Role',
    'scanfleet-controller-own',
    [
      'get,create,patch coordination.k8s.io/leases',
      'get,patch core/secrets [scanfleet-gateway-tls]',
      'create core/secrets',
      'get core/services [scanfleet-gateway]',
    ],
  ],
  [
    'Role',
    'scanfleet-controller-scans',
    [
      'get,list,watch,create,patch,delete batch/jobs',
      'get,create networking.k8s.io/networkpolicies',
      'get,create,delete core/secrets',
      'get,list,watch core/pods',
      'get core/namespaces',
    ],
  ],
  ['ClusterRole', 'scanfleet-gateway', gatewayEverywhere],
  [
    'ClusterRole',
    'scanfleet-gateway-reviews',
    ['create authentication.k8s.io/tokenreviews', 'create authorization.k8s.io/subjectaccessreviews'],
  ],
  [
    'ClusterRole',
    'scanfleet-view',
    [
      'get,list,watch scanfleet.dev/scmconnections',
      'get,list,watch scanfleet.dev/scmrepositories',
      'get,list,watch scanfleet.dev/managedscans',
      'get,list,watch scanfleet.dev/scanruns',
      'get scanfleet.dev/scmrepositories/findings',
    ],
  ],
  [
    'ClusterRole',
    'scanfleet-edit',
    [
      'create,update,patch,delete,deletecollection scanfleet.dev/scmconnections',
      'create,update,patch,delete,deletecollection scanfleet.dev/managedscans',
      'create,update,patch,delete,deletecollection scanfleet.dev/scanruns',
      'update,patch scanfleet.dev/scmrepositories',
    ],
  ],
]

describe('rights', () => {
  for (const [kind, name, rules] of expected) {
    test(`of ${kind} ${name} are exactly those`, async () => {
      assert.deepEqual(toLines(find(await render({}), kind, name)), rules)
    })
  }

  test('are in no other role, and every role has its binding', async () => {
    const manifests = await render({})
    const namesOf = (...kinds: string[]) =>
      manifests
        .filter(({ kind }) => kinds.includes(kind))
        .map(({ metadata }) => metadata.name)
        .sort()
    assert.deepEqual(namesOf('Role', 'ClusterRole'), expected.map(([, name]) => name).sort())
    const people = ['scanfleet-view', 'scanfleet-edit']
    const bound = expected.map(([, name]) => name).filter((name) => !people.includes(name))
    assert.deepEqual(namesOf('RoleBinding', 'ClusterRoleBinding'), bound.sort())
  })

  test('go to the right process', async () => {
    for (const { kind, metadata, subjects, roleRef } of await render({})) {
      if (kind !== 'RoleBinding' && kind !== 'ClusterRoleBinding') continue
      const process = metadata.name.startsWith('scanfleet-gateway') ? 'gateway' : 'controller'
      assert.deepEqual(subjects, [{ kind: 'ServiceAccount', name: `scanfleet-${process}`, namespace: 'scanfleet' }])
      assert.equal(roleRef.name, metadata.name)
    }
  })

  test('shrink to the namespaces that are watched', async () => {
    const manifests = await render({ watchNamespaces: ['team-a', 'team-b'] })
    const cluster = manifests.filter(({ kind }) => kind === 'ClusterRoleBinding').map(({ metadata }) => metadata.name)
    assert.deepEqual(cluster, ['scanfleet-gateway-reviews'])
    for (const [name, rules] of [
      ['scanfleet-controller', controllerEverywhere],
      ['scanfleet-gateway', gatewayEverywhere],
    ] as const) {
      const roles = manifests.filter(({ kind, metadata }) => kind === 'Role' && metadata.name === name)
      assert.deepEqual(
        roles.map(({ metadata }) => metadata.namespace),
        ['team-a', 'team-b'],
      )
      for (const role of roles) assert.deepEqual(toLines(role), rules)
    }
  })

  test('to write the certificate are not given when somebody else makes it', async () => {
    const own = find(await render({ gateway: { tls: { existingSecret: 'ours' } } }), 'Role', 'scanfleet-controller-own')
    assert.deepEqual(
      toLines(own).filter((line) => line.includes('secrets')),
      ['get core/secrets [ours]'],
    )
  })

  test('of people are left out on request', async () => {
    assert.ok(!has(await render({ rbac: { aggregate: false } }), 'ClusterRole', 'scanfleet-view'))
  })
})
