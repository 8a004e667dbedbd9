/** What people may write into the chart's values, and what they are told when it is wrong. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parse } from 'yaml'
import { chart, helm, kubeVersion, renderings, template, valuesFile } from './support.ts'

interface Schema {
  readonly description?: string
  readonly type?: string
  readonly $ref?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: unknown
}

const schema: Schema = JSON.parse(readFileSync(join(chart, 'values.schema.json'), 'utf8'))
const defaults = parse(readFileSync(join(chart, 'values.yaml'), 'utf8'))

/** Objects of Kubernetes itself, which the API server judges. */
const native = ['global', 'controller.affinity', 'gateway.affinity']

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Every property of the schema, by its path. */
function walk(node: Schema, path: string): [string, Schema][] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) => {
    const at = path === '' ? name : `${path}.${name}`
    return [[at, child] as [string, Schema], ...walk(child, at)]
  })
}

describe('values of the chart', () => {
  for (const rendering of renderings) {
    test(`helm lint has nothing against ${rendering}`, async () => {
      const { code, stdout } = await helm([
        'lint',
        chart,
        '--strict',
        '--kube-version',
        kubeVersion,
        '-f',
        valuesFile(rendering),
      ])
      assert.equal(code, 0, stdout)
    })
  }

  const misspelt: readonly [string, object][] = [
    ['replica', { controller: { replica: 2 } }],
    ['gatway', { gatway: {} }],
    ['persistance', { store: { sqlite: { persistance: {} } } }],
    ['limit', { gateway: { resources: { limit: {} } } }],
    ['memoryy', { gateway: { resources: { limits: { memoryy: '1Gi' } } } }],
    ['namspace', { scans: { namspace: 'x' } }],
  ]
  for (const [key, values] of misspelt) {
    test(`the misspelt key ${key} is refused and named`, async () => {
      const { code, stderr } = await template(values)
      assert.notEqual(code, 0)
      assert.match(stderr, new RegExp(`additional properties '${key}' not allowed`))
    })
  }

  const wrong: readonly [string, object, RegExp][] = [
    ['a log level that does not exist', { logLevel: 'loud' }, /logLevel/],
    ['a network without a prefix', { controller: { allowedPrivateNetworks: ['10.0.0.1'] } }, /allowedPrivateNetworks/],
    ['a digest that is none', { image: { digest: 'latest' } }, /digest/],
    ['no replica', { controller: { replicas: 0 } }, /replicas/],
    ['the scans in the namespace of the operator', { scans: { namespace: 'scanfleet' } }, /choose another name/],
    [
      'connections in the namespace of the scans',
      { watchNamespaces: ['scanfleet-scans'] },
      /Nothing but scans may be there/,
    ],
    [
      'two gateways on the embedded store',
      { gateway: { replicas: 2 } },
      /needs PostgreSQL.*set store\.postgres\.urlSecretRef\.name/,
    ],
    ['cert-manager without an issuer', { gateway: { tls: { certManager: { enabled: true } } } }, /issuerRef\.name/],
    [
      'two sources of the certificate',
      { gateway: { tls: { existingSecret: 'x', certManager: { enabled: true, issuerRef: { name: 'x' } } } } },
      /exclude each other/,
    ],
    ['a quota without limits', { scans: { resourceQuota: { enabled: true } } }, /scans\.resourceQuota\.hard/],
  ]
  for (const [what, values, message] of wrong) {
    test(`${what} is refused with a sentence`, async () => {
      const { code, stderr } = await template(values)
      assert.notEqual(code, 0)
      assert.match(stderr, message)
    })
  }

  test('the schema knows every value and describes it', () => {
    const described = new Map(walk(schema, ''))
    const unknown: string[] = []
    const visit = (values: Record<string, unknown>, path: string) => {
      for (const [name, value] of Object.entries(values)) {
        const at = path === '' ? name : `${path}.${name}`
        const node = described.get(at)
        if (node?.description === undefined) unknown.push(at)
        if (isPlainObject(value) && node?.properties !== undefined) visit(value, at)
      }
    }
    visit(defaults, '')
    assert.deepEqual(unknown, [])
  })

  test('every object of the schema says which keys it takes', () => {
    const open = walk(schema, '').filter(
      ([path, node]) => node.type === 'object' && node.additionalProperties === undefined && !native.includes(path),
    )
    assert.deepEqual(
      open.map(([path]) => path),
      [],
    )
    assert.equal(schema.additionalProperties, false)
  })
})
