import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import {
  admit,
  byUrgency,
  type Candidate,
  createGate,
  type Holder,
} from '../../../operator/reconcilers/scan-run/admission.ts'

const reasons = ['Initial', 'Manual', 'Requested', 'Scheduled', 'PullRequest'] as const
const none = Number.POSITIVE_INFINITY

function aCandidate(key: string, changes: Partial<Candidate> = {}): Candidate {
  const createdAt = '2026-03-01T12:00:00Z'
  return { key, managedScan: 'team/all', connection: 'team/acme', reason: 'Initial', createdAt, ...changes }
}

const candidates = fc
  .array(
    fc.record({
      managedScan: fc.constantFrom('a/one', 'a/two', 'b/one'),
      connection: fc.constantFrom('a/host', 'b/host'),
      reason: fc.constantFrom(...reasons),
      createdAt: fc.constantFrom('2026-03-01T12:00:00Z', '2026-03-01T12:00:01Z', '2026-03-01T12:00:02Z'),
    }),
    { maxLength: 40 },
  )
  .map((list) => list.map((one, index) => ({ key: `run-${index}`, ...one })))

const count = (list: readonly Holder[], field: 'managedScan' | 'connection', value: string) =>
  list.filter((one) => one[field] === value).length

describe('who may start', () => {
  test('never passes a cap, and leaves nobody waiting who could start', () => {
    const cap = fc.nat({ max: 6 })
    fc.assert(
      fc.property(candidates, candidates, cap, cap, cap, (waiting, running, overall, perScan, perConnection) => {
        const holders = running.map((one) => ({ ...one, key: `holder-${one.key}` }))
        const caps = { overall, managedScan: () => perScan, connection: () => perConnection }

        const admitted = admit(waiting, holders, caps)

        const all = [...holders, ...admitted]
        const fits = (one: Candidate, others: readonly Holder[]) =>
          others.length < overall &&
          count(others, 'managedScan', one.managedScan) < perScan &&
          count(others, 'connection', one.connection) < perConnection
        for (const [index, one] of admitted.entries())
          assert.ok(fits(one, [...holders, ...admitted.slice(0, index)]), 'each one had a place')
        for (const one of waiting.filter((candidate) => !admitted.includes(candidate)))
          assert.equal(fits(one, all), false, 'nobody is kept who had a place')
      }),
    )
  })

  test('goes by reason, then by age, then by name', () => {
    const row = [
      aCandidate('pull-request', { reason: 'PullRequest', createdAt: '2026-03-01T13:00:00Z' }),
      aCandidate('asked-first', { reason: 'Requested' }),
      aCandidate('asked-later', { reason: 'Manual', createdAt: '2026-03-01T12:30:00Z' }),
      aCandidate('first-seen-a'),
      aCandidate('first-seen-b'),
      aCandidate('weekly', { reason: 'Scheduled', createdAt: '2026-03-01T11:00:00Z' }),
    ]
    assert.deepEqual([...row].reverse().sort(byUrgency), row)
    const caps = { overall: 2, managedScan: () => none, connection: () => none }
    assert.deepEqual(
      admit([...row].reverse(), [], caps).map(({ key }) => key),
      ['pull-request', 'asked-first'],
    )
  })

  test('lets others pass whose own cap is not reached', () => {
    const caps = { overall: none, managedScan: (key: string) => (key === 'team/full' ? 0 : 5), connection: () => none }
    const waiting = [aCandidate('stuck', { managedScan: 'team/full', reason: 'PullRequest' }), aCandidate('free')]
    assert.deepEqual(
      admit(waiting, [], caps).map(({ key }) => key),
      ['free'],
    )
  })
})

describe('the gate', () => {
  function aGate(overall: number) {
    const jobs = new Map<string, Holder>()
    const admitted: string[] = []
    const gate = createGate({
      caps: { overall, managedScan: () => none, connection: () => none },
      jobHolders: () => jobs.values(),
      onAdmitted: (key) => admitted.push(key),
    })
    return { gate, jobs, admitted }
  }

  test('keeps the place of a run between admission and Job, and counts it once', async () => {
    const { gate, jobs, admitted } = aGate(2)
    for (const key of ['a', 'b', 'c']) gate.request(aCandidate(key))
    await nextTurn()
    assert.deepEqual(admitted, ['a', 'b'])
    jobs.set('a', aCandidate('a'))
    gate.wake()
    await nextTurn()
    assert.deepEqual(admitted, ['a', 'b'])
    gate.withdraw('a')
    await nextTurn()
    assert.deepEqual([admitted, gate.waiting], [['a', 'b'], 1], 'the Job holds the place now')
  })

  test('gives a place on when its run withdraws or its Job goes', async () => {
    const { gate, jobs, admitted } = aGate(1)
    jobs.set('old', aCandidate('old'))
    for (const key of ['a', 'b']) gate.request(aCandidate(key))
    await nextTurn()
    assert.deepEqual(admitted, [])
    jobs.delete('old')
    gate.wake()
    await nextTurn()
    assert.deepEqual(admitted, ['a'])
    gate.withdraw('a')
    await nextTurn()
    assert.deepEqual(admitted, ['a', 'b'])
    assert.equal(gate.isAdmitted('a'), false)
  })

  test('asks once for a run that asks twice', async () => {
    const { gate, admitted } = aGate(5)
    gate.request(aCandidate('a'))
    gate.request(aCandidate('a'))
    await nextTurn()
    gate.request(aCandidate('a'))
    await nextTurn()
    assert.deepEqual([admitted, gate.waiting], [['a'], 0])
  })
})
