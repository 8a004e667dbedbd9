/** Specification of the key queue: nothing is forgotten, nothing runs twice at once, nothing is tried in a hot loop. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { KubeError } from '../../../operator/kube/errors.ts'
import { createQueue, type Queue, type Reconcile } from '../../../operator/kube/queue.ts'
import { createMetrics, type Metrics } from '../../../operator/telemetry/metrics.ts'
import { until } from '../../support/wait.ts'

interface Made {
  readonly queue: Queue
  readonly metrics: Metrics
  readonly lines: { readonly msg: string; readonly level: number; readonly retryMs?: number }[]
}

function make(reconcile: Reconcile, workers = 1, backoff = { minMs: 1, maxMs: 8 }): Made {
  const metrics = createMetrics(new Registry())
  const lines: Made['lines'] = []
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  return { queue: createQueue({ name: 'test', workers, reconcile, log, metrics, backoff }), metrics, lines }
}

describe('the key queue', () => {
  it('reconciles a key once, however often it was added while it waited', async () => {
    const done: string[] = []
    const { queue } = make(async (key) => void done.push(key))
    for (const key of ['a', 'b', 'a', 'a', 'b']) queue.add(key)
    assert.equal(queue.size, 2)
    queue.start()

    await until('both are done', () => done.length === 2)

    assert.deepEqual(done, ['a', 'b'])
    await queue.stop()
  })

  it('runs a key once more when it was added while it was being reconciled', async () => {
    const gate = Promise.withResolvers<void>()
    let runs = 0
    const { queue } = make(async () => {
      runs++
      if (runs === 1) await gate.promise
    }, 4)
    queue.start()
    queue.add('a')
    await until('it runs', () => queue.active === 1)
    queue.add('a')
    queue.add('a')
    await turn()
    assert.equal(queue.active, 1)
    gate.resolve()

    await until('it ran again', () => runs === 2 && queue.active === 0)
    await turn()
    assert.equal(runs, 2)
    await queue.stop()
  })

  it('for any sequence of adds: each key is seen after its last add, never twice at once, never by more than the workers', async () => {
    const step = fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd'), pause: fc.integer({ min: 0, max: 2 }) })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 3 }), async (steps, workers) => {
        const version = new Map<string, number>()
        const seen = new Map<string, number>()
        const active = new Set<string>()
        const { queue } = make(async (key) => {
          assert.ok(!active.has(key), 'a key ran twice at once')
          active.add(key)
          assert.ok(active.size <= workers, 'more keys ran than there are workers')
          const read = version.get(key) ?? 0
          await turn()
          seen.set(key, read)
          active.delete(key)
        }, workers)
        queue.start()
        for (const { key, pause } of steps) {
          version.set(key, (version.get(key) ?? 0) + 1)
          queue.add(key)
          for (let turns = 0; turns < pause; turns++) await turn()
        }
        await until('the queue is empty', () => queue.size === 0 && queue.active === 0, { everyMs: 1 })
        assert.deepEqual(seen, version)
        await queue.stop()
      }),
      { numRuns: 60 },
    )
  })

  it('tries a failing key again, later each time, until it succeeds, and then forgets the failures', async () => {
    let runs = 0
    const { queue, lines, metrics } = make(
      async () => {
        runs++
        if (runs <= 4 || runs === 6) throw new Error('no')
      },
      1,
      { minMs: 8, maxMs: 32 },
    )
    queue.start()
    queue.add('a')
    await until('it succeeded', () => runs === 5 && queue.active === 0)
    queue.add('a')
    await until('it succeeded again', () => runs === 7 && queue.active === 0)

    const waits = lines.filter(({ msg }) => msg === 'reconcile failed').map(({ retryMs }) => Number(retryMs))
    const bounds = [8, 16, 32, 32, 8]
    assert.equal(waits.length, bounds.length)
    for (const [index, most] of bounds.entries()) {
      const wait = waits[index] ?? -1
      assert.ok(wait >= most / 2 && wait <= most, `wait ${index} was ${wait}, not within ${most / 2} and ${most}`)
    }
    assert.equal((await metrics.reconcileErrors.get()).values[0]?.value, 5)
    await queue.stop()
  })

  it('does not try a failing key in a hot loop when its object changes all the time', async () => {
    let runs = 0
    const { queue } = make(
      async (key) => {
        runs++
        queue.add(key)
        throw new Error('no')
      },
      1,
      { minMs: 60_000, maxMs: 60_000 },
    )
    queue.start()
    queue.add('a')
    await until('it ran', () => runs === 1 && queue.active === 0)
    for (let index = 0; index < 100; index++) {
      queue.add('a')
      await turn()
    }
    assert.equal(runs, 1)

    await until('a change brings it forward, long before its backoff', () => runs === 2)
    await queue.stop()
  })

  it('waits as long as the API server asks', async () => {
    const { queue, lines } = make(async () => {
      throw new KubeError(429, 'TooManyRequests', 'slow down', 7)
    })
    queue.start()
    queue.add('a')

    await until('it was refused', () => lines.length === 1)

    assert.ok(Number(lines[0]?.retryMs) >= 7000)
    await queue.stop()
  })

  it('speaks of a conflict only when asked for details, since it heals by itself', async () => {
    let runs = 0
    const { queue, lines } = make(async () => {
      if (++runs === 1) throw new KubeError(409, 'Conflict', 'the object has been modified')
    })
    queue.start()
    queue.add('a')

    await until('it ran again', () => runs === 2 && queue.active === 0)

    assert.deepEqual(
      lines.map(({ level }) => level),
      [20],
    )
    await queue.stop()
  })

  it('keeps the earliest of several delays, and an event comes before all of them', async () => {
    const done: string[] = []
    const { queue } = make(async (key) => void done.push(key))
    queue.start()
    queue.addAfter('later', 3_600_000)
    queue.addAfter('later', 20)
    queue.addAfter('later', 3_600_000)
    queue.addAfter('now', 3_600_000)
    queue.add('now')

    await until('both are done', () => done.length === 2)

    assert.deepEqual(done, ['now', 'later'])
    await queue.stop()
  })

  it('looks again after the time that a reconcile asks for', async () => {
    let runs = 0
    const { queue, metrics } = make(async () => (++runs < 3 ? { requeueAfterMs: 5 } : undefined))
    queue.start()
    queue.add('a')

    await until('it ran three times', () => runs === 3 && queue.active === 0)

    const results = (await metrics.reconciles.get()).values.map(({ labels, value }) => [labels.result, value])
    assert.deepEqual(results, [
      ['requeue', 2],
      ['success', 1],
    ])
    await queue.stop()
  })

  it('stops only when the work in hand has ended, and takes nothing new', async () => {
    const gate = Promise.withResolvers<void>()
    const done: string[] = []
    const { queue } = make(async (key) => {
      await gate.promise
      done.push(key)
    })
    queue.start()
    queue.add('a')
    queue.add('b')
    await until('a runs', () => queue.active === 1)
    const stopping = queue.stop().then(() => done.push('stopped'))
    queue.add('c')
    gate.resolve()

    await stopping

    assert.deepEqual(done, ['a', 'stopped'])
  })

  it('tells the work in hand to hurry when the time to stop runs out', async () => {
    const ends: string[] = []
    const { queue } = make(async (key, signal) => {
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
      ends.push(key)
    }, 2)
    queue.start()
    queue.add('a')
    queue.add('b')
    await until('both run', () => queue.active === 2)
    const hurry = new AbortController()
    const stopping = queue.stop(hurry.signal)
    await turn()
    assert.deepEqual(ends, [])
    hurry.abort()

    await stopping

    assert.deepEqual(ends, ['a', 'b'])
  })

  it('never runs a reconcile inside the call that adds the key', async () => {
    let inside = false
    let ran = false
    const { queue } = make(async () => {
      assert.equal(inside, false)
      ran = true
    })
    queue.start()
    inside = true
    queue.add('a')
    inside = false

    await until('it ran', () => ran)
    await queue.stop()
  })
})
