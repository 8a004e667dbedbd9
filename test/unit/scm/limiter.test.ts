/** The gate that all calls with one credential pass. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createLimiter, type Limiter } from '../../../operator/scm/http/limiter.ts'
import { limitsOf } from '../../../operator/scm/http/limits.ts'
import type { Priority } from '../../../operator/scm/types.ts'

const start = new Date('2026-01-05T09:00:00Z')
const forever = new AbortController().signal

/** Takes one place of the limiter until it is released. */
function occupy(limiter: Limiter): { release: () => void; done: Promise<void> } {
  let release = () => {}
  const done = limiter.run('PullRequest', forever, () => new Promise<void>((resolve) => (release = resolve)))
  return { release: () => release(), done }
}

describe('waiting calls', () => {
  test('go by urgency, then by age', async () => {
    const limiter = createLimiter({ concurrency: 1 })
    const first = occupy(limiter)
    await Promise.resolve()
    const order: string[] = []
    const waiting = (['Discovery', 'Weekly', 'Manual', 'PullRequest', 'Weekly'] as Priority[]).map((priority, index) =>
      limiter.run(priority, forever, async () => void order.push(`${priority} ${index}`)),
    )

    first.release()
    await Promise.all([first.done, ...waiting])

    assert.deepEqual(order, ['PullRequest 3', 'Manual 2', 'Weekly 1', 'Weekly 4', 'Discovery 0'])
  })

  test('are never more at once than allowed, and a failing one frees its place', async () => {
    const limiter = createLimiter({ concurrency: 2 })
    let now = 0
    let most = 0
    const calls = Array.from({ length: 20 }, (_, index) =>
      limiter.run('Weekly', forever, async () => {
        most = Math.max(most, ++now)
        await new Promise(setImmediate)
        now--
        if (index % 3 === 0) throw new Error('refused')
      }),
    )

    await Promise.allSettled(calls)

    assert.equal(most, 2)
  })

  test('that are given up leave the queue', async () => {
    const limiter = createLimiter({ concurrency: 1 })
    const first = occupy(limiter)
    await Promise.resolve()
    const controller = new AbortController()
    const given = limiter.run('Manual', controller.signal, async () => assert.fail('it ran'))

    controller.abort(new Error('given up'))

    await assert.rejects(given, /given up/)
    first.release()
    await first.done
    assert.equal(await limiter.run('Manual', forever, async () => 'free'), 'free')
  })
})

describe('the host’s budget', () => {
  const budget = (remaining: number) => ({ remaining, limit: 1000, resetAt: new Date(start.getTime() + 60_000) })

  test('is left to urgent work when it runs low', async () => {
    const limiter = createLimiter({ now: () => start })
    limiter.observe(budget(60))

    await assert.rejects(
      limiter.run('Discovery', forever, async () => 1),
      { reason: 'RateLimited' },
    )
    assert.equal(await limiter.run('Weekly', forever, async () => 1), 1)
    limiter.observe(budget(10))
    await assert.rejects(
      limiter.run('Initial', forever, async () => 1),
      { reason: 'RateLimited' },
    )
    assert.equal(await limiter.run('PullRequest', forever, async () => 1), 1)
  })

  test('that is used up stops everything until its reset', async () => {
    let now = start
    const limiter = createLimiter({ now: () => now })
    limiter.observe(budget(0))

    await assert.rejects(
      limiter.run('PullRequest', forever, async () => 1),
      { retryAt: budget(0).resetAt },
    )
    now = new Date(start.getTime() + 60_000)
    assert.equal(await limiter.run('Discovery', forever, async () => 1), 1)
  })

  test('that is not stated is no limit', async () => {
    const limiter = createLimiter({ now: () => start })
    limiter.observe({})

    assert.equal(await limiter.run('Discovery', forever, async () => 1), 1)
  })

  test('a pause is never shortened by a later, shorter one', async () => {
    const limiter = createLimiter({ now: () => start })
    limiter.pause(new Date(start.getTime() + 60_000))
    limiter.pause(new Date(start.getTime() + 1_000))

    await assert.rejects(
      limiter.run('Manual', forever, async () => 1),
      { retryAt: new Date(start.getTime() + 60_000) },
    )
  })
})

describe('headers', () => {
  const read = (headers: Record<string, string>) => limitsOf(new Headers(headers), start)

  test('of GitHub tell what is left and until when', () => {
    const reset = String(start.getTime() / 1000 + 90)

    assert.deepEqual(read({ 'x-ratelimit-limit': '5000', 'x-ratelimit-remaining': '12', 'x-ratelimit-reset': reset }), {
      limit: 5000,
      remaining: 12,
      resetAt: new Date(start.getTime() + 90_000),
    })
  })

  test('may ask to wait for seconds or until a date', () => {
    assert.deepEqual(read({ 'retry-after': '30' }), { retryAt: new Date(start.getTime() + 30_000) })
    assert.deepEqual(read({ 'retry-after': 'Mon, 05 Jan 2026 09:01:00 GMT' }), {
      retryAt: new Date(start.getTime() + 60_000),
    })
  })

  test('that make no sense say nothing, and nobody is made to wait for longer than a day', () => {
    assert.deepEqual(read({ 'retry-after': 'soon', 'x-ratelimit-remaining': '-1', 'x-ratelimit-limit': 'many' }), {})
    assert.deepEqual(read({ 'retry-after': '99999999999' }), { retryAt: new Date(start.getTime() + 86_400_000) })
  })
})
