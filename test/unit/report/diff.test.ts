import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { diffFindings, type FindingState, type KnownFinding } from '../../../operator/report/diff.ts'

const known = (fingerprint: string, state: FindingState, product: KnownFinding['product'] = 'Code') => ({
  fingerprint,
  state,
  product,
})
const seen = (...fingerprints: string[]) => fingerprints.map((fingerprint) => ({ fingerprint }))

for (const { name, before, now, changes, fixed } of [
  { name: 'never seen is new', before: [], now: ['a'], changes: [['a', 'New']], fixed: [] },
  { name: 'open and seen is known', before: [known('a', 'Open')], now: ['a'], changes: [['a', 'Known']], fixed: [] },
  {
    name: 'fixed and seen is reopened',
    before: [known('a', 'Fixed')],
    now: ['a'],
    changes: [['a', 'Reopened']],
    fixed: [],
  },
  {
    name: 'seen only elsewhere so far is new',
    before: [known('a', 'Elsewhere')],
    now: ['a'],
    changes: [['a', 'New']],
    fixed: [],
  },
  { name: 'open and gone is fixed', before: [known('a', 'Open')], now: [], changes: [], fixed: ['a'] },
  { name: 'fixed and gone stays fixed', before: [known('a', 'Fixed')], now: [], changes: [], fixed: [] },
  {
    name: 'seen only elsewhere and gone is nothing',
    before: [known('a', 'Elsewhere')],
    now: [],
    changes: [],
    fixed: [],
  },
  {
    name: 'gone of a product that was not covered proves nothing',
    before: [known('a', 'Open', 'Secrets')],
    now: [],
    changes: [],
    fixed: [],
  },
] as const) {
  test(name, () => {
    const diff = diffFindings(before, seen(...now), ['Code'])
    assert.deepEqual([[...diff.changes], diff.fixed], [changes, fixed])
  })
}

test('whatever was before, each seen finding has one change and nothing is both seen and fixed', () => {
  const fingerprint = fc.constantFrom(...'abcdefgh')
  const state = fc.constantFrom<FindingState>('Open', 'Fixed', 'Elsewhere')
  const before = fc.uniqueArray(
    fc.record({ fingerprint, state, product: fc.constantFrom('Code' as const, 'Secrets' as const) }),
    {
      selector: (finding) => finding.fingerprint,
    },
  )
  fc.assert(
    fc.property(before, fc.uniqueArray(fingerprint), (old, now) => {
      const { changes, fixed } = diffFindings(old, seen(...now), ['Code'])
      assert.deepEqual([...changes.keys()].sort(), [...now].sort())
      assert.ok(fixed.every((gone) => !changes.has(gone)))
      const open = old.filter(({ state: was, product }) => was === 'Open' && product === 'Code').length
      const stillOpen = old.filter(
        (finding) => finding.product === 'Code' && changes.get(finding.fingerprint) === 'Known',
      ).length
      assert.equal(fixed.length, open - stillOpen)
    }),
  )
})
