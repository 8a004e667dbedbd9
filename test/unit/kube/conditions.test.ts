/** Specification of conditions: the API conventions, and what kstatus reads from them. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Condition } from '../../../operator/api/kinds.ts'
import {
  findCondition,
  isTrue,
  microTimestamp,
  removeCondition,
  sameConditions,
  setCondition,
  setReadiness,
  timestamp,
} from '../../../operator/kube/conditions.ts'
import { kubeStatus } from '../../support/kstatus.ts'

const early = new Date('2026-01-02T03:04:05.678Z')
const late = new Date('2026-01-02T04:00:00.000Z')

function ready(status: 'True' | 'False', reason: string, message = 'A sentence.'): Parameters<typeof setCondition>[1] {
  return { type: 'Ready', status, reason, message, observedGeneration: 1 }
}

describe('conditions', () => {
  it('keep the time of transition while the status stays, whatever else changes', () => {
    const before = setCondition([], ready('False', 'SecretNotFound'), early)

    const same = setCondition(before, { ...ready('False', 'SecretEmpty', 'Other.'), observedGeneration: 2 }, late)
    const changed = setCondition(before, ready('True', 'Connected'), late)

    assert.deepEqual(same, [
      {
        type: 'Ready',
        status: 'False',
        reason: 'SecretEmpty',
        message: 'Other.',
        observedGeneration: 2,
        lastTransitionTime: '2026-01-02T03:04:05Z',
      },
    ])
    assert.equal(changed[0]?.lastTransitionTime, '2026-01-02T04:00:00Z')
  })

  it('leave others, their order and the given list alone', () => {
    const others: readonly Condition[] = Object.freeze(
      ['A', 'Ready', 'B'].map((type) => ({
        type,
        status: 'True' as const,
        reason: 'R',
        message: 'M.',
        lastTransitionTime: timestamp(early),
      })),
    )

    const set = setCondition(others, ready('False', 'SecretNotFound'), late)

    assert.deepEqual(
      set.map(({ type }) => type),
      ['A', 'Ready', 'B'],
    )
    assert.equal(findCondition(set, 'B'), others[2])
    assert.deepEqual(
      removeCondition(set, 'A', 'Ready').map(({ type }) => type),
      ['B'],
    )
    assert.equal(isTrue(set, 'A'), true)
    assert.equal(isTrue(set, 'Ready'), false)
  })

  it('cut a message to what the schema allows', () => {
    const [condition] = setCondition([], ready('False', 'UnexpectedReply', 'x'.repeat(5000)), early)

    assert.equal(condition?.message.length, 2048)
    assert.ok(condition?.message.endsWith('…'))
  })

  it('are the same only when nothing at all differs', () => {
    const one = setCondition([], ready('True', 'Connected'), early)

    assert.equal(sameConditions(one, setCondition(one, ready('True', 'Connected'), late)), true)
    assert.equal(sameConditions(one, setCondition(one, ready('True', 'Connected', 'Other.'), late)), false)
    assert.equal(sameConditions(one, []), false)
    assert.equal(sameConditions(undefined, []), true)
  })

  const table = [
    { ready: 'True', progress: undefined, reads: 'Current' },
    { ready: 'False', progress: undefined, reads: 'InProgress' },
    { ready: 'Unknown', progress: 'Reconciling', reads: 'InProgress' },
    { ready: 'False', progress: 'Reconciling', reads: 'InProgress' },
    { ready: 'True', progress: 'Reconciling', reads: 'InProgress' },
    { ready: 'False', progress: 'Stalled', reads: 'Failed' },
  ] as const
  for (const before of [...table, undefined]) {
    for (const after of table) {
      it(`Ready=${after.ready} ${after.progress ?? ''} after ${before ? `${before.ready} ${before.progress ?? ''}` : 'nothing'} reads as ${after.reads}`, () => {
        const common = { reason: 'Some', message: 'A sentence.', observedGeneration: 3 }
        const old = before === undefined ? undefined : setReadiness(undefined, { ...before, ...common }, early)

        const conditions = setReadiness(old, { ...after, ...common }, late)

        assert.equal(
          kubeStatus({ metadata: { generation: 3 }, status: { observedGeneration: 3, conditions } }),
          after.reads,
        )
        const types = conditions.map(({ type }) => type).sort()
        assert.deepEqual(types, ['Ready', ...(after.progress ? [after.progress] : [])].sort())
      })
    }
  }

  it('of an older spec read as in progress', () => {
    const conditions = setReadiness([], { ready: 'True', reason: 'R', message: 'M.', observedGeneration: 1 }, early)

    assert.equal(
      kubeStatus({ metadata: { generation: 2 }, status: { observedGeneration: 1, conditions } }),
      'InProgress',
    )
  })

  it('carry times as the API server wants them', () => {
    assert.equal(timestamp(early), '2026-01-02T03:04:05Z')
    assert.equal(microTimestamp(early), '2026-01-02T03:04:05.678000Z')
  })
})
