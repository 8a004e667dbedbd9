import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Policy } from '../../../operator/api/kinds.ts'
import { actionFor, judge, matchesGlob } from '../../../operator/report/verdict.ts'

const finding = { product: 'Code', severity: 'High', ruleId: 'scanfleet.python.sqli' } as const

describe('the policy', () => {
  for (const { name, policy, action } of [
    { name: 'without rules monitors', policy: [], action: 'Monitor' },
    { name: 'applies a rule without conditions to all', policy: [{ action: 'Block' }], action: 'Block' },
    {
      name: 'applies the first rule that matches',
      policy: [{ action: 'Comment' }, { action: 'Block' }],
      action: 'Comment',
    },
    { name: 'passes over another severity', policy: [{ severities: ['Low'], action: 'Block' }], action: 'Monitor' },
    { name: 'passes over another product', policy: [{ products: ['Secrets'], action: 'Block' }], action: 'Monitor' },
    {
      name: 'matches rules by glob',
      policy: [{ rules: ['x', 'scanfleet.python.*'], action: 'Block' }],
      action: 'Block',
    },
    {
      name: 'wants all conditions of a rule',
      policy: [{ rules: ['*'], severities: ['Critical'], action: 'Block' }],
      action: 'Monitor',
    },
  ] as { name: string; policy: Policy; action: string }[]) {
    test(name, () => assert.equal(actionFor(finding, policy), action))
  }

  test('makes the verdict: clean without findings, blocked by one that it blocks', () => {
    const blockCritical: Policy = [{ severities: ['Critical'], action: 'Block' }]
    assert.equal(judge([], [{ action: 'Block' }]), 'Clean')
    assert.equal(judge([finding], blockCritical), 'Findings')
    assert.equal(judge([finding, { ...finding, severity: 'Critical' }], blockCritical), 'Blocked')
  })
})

test('a glob matches what the same regular expression matches', () => {
  const glob = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), maxLength: 8 })
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 12 })
  fc.assert(
    fc.property(glob, text, (pattern, subject) => {
      const expression = new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '.*')}$`)
      assert.equal(matchesGlob(pattern, subject), expression.test(subject))
    }),
  )
})
