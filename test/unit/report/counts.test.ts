import assert from 'node:assert/strict'
import { test } from 'node:test'
import { countFindings, describeCounts } from '../../../operator/report/counts.ts'
import { diffFindings } from '../../../operator/report/diff.ts'
import { aFinding } from '../../support/acceptances.ts'

const findings = [
  aFinding({ id: 'a', severity: 'Critical' }),
  aFinding({ id: 'b', severity: 'Low' }),
  aFinding({ id: 'c', product: 'Secrets' }),
]

test('findings are counted by change, severity and product that was looked for', () => {
  const before = [
    { fingerprint: aFinding({ id: 'a' }).fingerprint, state: 'Open', product: 'Code' },
    { fingerprint: 'gone', state: 'Open', product: 'Code' },
  ] as const
  const counts = countFindings(findings, diffFindings(before, findings, ['Code', 'Secrets']), ['Code', 'Secrets'])
  assert.deepEqual(counts, {
    total: 3,
    new: 2,
    known: 1,
    fixed: 1,
    reopened: 0,
    bySeverity: { critical: 1, high: 1, medium: 0, low: 1 },
    byProduct: {
      code: { total: 2, critical: 1, high: 0, medium: 0, low: 1 },
      secrets: { total: 1, critical: 0, high: 1, medium: 0, low: 0 },
    },
  })
  assert.equal(describeCounts(counts), '3 findings (2 new, 1 fixed): 1 critical, 1 high, 1 low')
})

test('the sentence speaks of one finding as of one, and of none as of none', () => {
  assert.equal(describeCounts({ total: 1, known: 1, bySeverity: { high: 1 } }), '1 finding: 1 high')
  assert.equal(describeCounts({ total: 0 }), 'No findings')
  assert.equal(describeCounts({ total: 0, fixed: 4 }), 'No findings (4 fixed)')
})
