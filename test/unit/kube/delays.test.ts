/** Specification of delayed keys. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createDelays } from '../../../operator/kube/delays.ts'
import { until } from '../../support/wait.ts'

describe('delayed keys', () => {
  it('come due in the order of their times, each once, with the earliest time that was asked for', async () => {
    const asked = fc.array(
      fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd', 'e'), tens: fc.integer({ min: 0, max: 4 }) }),
      {
        minLength: 1,
        maxLength: 30,
      },
    )
    await fc.assert(
      fc.asyncProperty(asked, async (steps) => {
        const due: string[] = []
        const earliest = new Map<string, number>()
        const delays = createDelays((key) => due.push(key))
        for (const { key, tens } of steps) {
          delays.add(key, tens * 10)
          earliest.set(key, Math.min(earliest.get(key) ?? Number.POSITIVE_INFINITY, tens))
        }
        assert.equal(delays.size, earliest.size)
        await until('all came due', () => due.length >= earliest.size, { everyMs: 1 })
        assert.equal(due.length, earliest.size)
        const order = due.map((key) => earliest.get(key) ?? -1)
        assert.deepEqual(
          order,
          order.toSorted((a, b) => a - b),
        )
        assert.equal(delays.size, 0)
      }),
      { numRuns: 20 },
    )
  })

  it('does not call for a key that was removed', async () => {
    const due: string[] = []
    const delays = createDelays((key) => due.push(key))
    delays.add('removed', 1)
    delays.add('kept', 5)
    delays.remove('removed')

    await until('the other came due', () => due.length > 0)

    assert.deepEqual(due, ['kept'])
  })

  it('can be far away without becoming due at once', async () => {
    const due: string[] = []
    const delays = createDelays((key) => due.push(key))
    delays.add('next-year', 365 * 24 * 3_600_000)
    delays.add('soon', 5)

    await until('the near one came due', () => due.length > 0)

    assert.deepEqual(due, ['soon'])
    delays.clear()
    assert.equal(delays.size, 0)
  })

  it('keeps a hundred thousand keys without a timer for each', () => {
    const delays = createDelays(() => undefined)
    for (let index = 0; index < 100_000; index++) delays.add(`key-${index}`, 3_600_000 + index)

    const timers = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length

    assert.equal(delays.size, 100_000)
    assert.ok(timers < 10, `there are ${timers} timers`)
    delays.clear()
  })
})
