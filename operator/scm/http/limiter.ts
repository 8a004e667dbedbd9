/**
 * One gate per credential. All calls that use the credential pass it: the most urgent first, a few at a time, none while
 * the host wants silence, and the last part of the budget is kept for urgent work. A call that may not go now fails with
 * the moment to come back, so that nobody sleeps in here holding work.
 */
import { type Priority, priorities, ScmError } from '../types.ts'
import type { Limits } from './limits.ts'

/** Part of the host's budget that is left to more urgent work. */
const reserve: Readonly<Record<Priority, number>> = {
  PullRequest: 0,
  Manual: 0,
  Initial: 0.02,
  Weekly: 0.05,
  Discovery: 0.1,
}

export interface Limiter {
  /** Runs `call` when its turn has come. Throws ScmError `RateLimited` with `retryAt` when that is not soon. */
  run<T>(priority: Priority, signal: AbortSignal, call: () => Promise<T>): Promise<T>
  /** Takes in what the host said in its latest answer. */
  observe(limits: Limits): void
  /** Lets no call pass before `until`. An earlier moment than one already set changes nothing. */
  pause(until: Date): void
}

interface Waiting {
  readonly priority: Priority
  readonly start: () => void
}

export function createLimiter(options: { readonly concurrency?: number; readonly now?: () => Date } = {}): Limiter {
  const concurrency = options.concurrency ?? 10
  const now = options.now ?? (() => new Date())
  const queue: Waiting[] = []
  let running = 0
  let pausedUntil = 0
  let budget: Limits = {}

  function refusal(priority: Priority): ScmError | undefined {
    const time = now().getTime()
    if (time < pausedUntil) return rateLimited(new Date(pausedUntil))
    const { remaining, limit, resetAt } = budget
    if (remaining === undefined || limit === undefined || !resetAt || resetAt.getTime() <= time) return undefined
    const used = remaining === 0 || remaining < limit * reserve[priority]
    return used ? rateLimited(resetAt) : undefined
  }

  async function turn(priority: Priority, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (running < concurrency) {
      running++
      return
    }
    await new Promise<void>((resolve, reject) => {
      const waiting: Waiting = {
        priority,
        start: () => {
          signal.removeEventListener('abort', abort)
          running++
          resolve()
        },
      }
      function abort(): void {
        queue.splice(queue.indexOf(waiting), 1)
        reject(signal.reason)
      }
      signal.addEventListener('abort', abort, { once: true })
      queue.push(waiting)
    })
  }

  function next(): void {
    let best = 0
    for (let index = 1; index < queue.length; index++) if (rank(queue[index]) < rank(queue[best])) best = index
    queue.splice(best, 1)[0]?.start()
  }

  return {
    async run(priority, signal, call) {
      await turn(priority, signal)
      try {
        const refused = refusal(priority)
        if (refused) throw refused
        return await call()
      } finally {
        running--
        next()
      }
    },
    observe(limits) {
      if (limits.remaining !== undefined) budget = limits
    },
    pause(until) {
      pausedUntil = Math.max(pausedUntil, until.getTime())
    },
  }
}

export function rateLimited(retryAt: Date): ScmError {
  return new ScmError(
    'RateLimited',
    `The code host's limit for this credential is reached. Calls go on after ${retryAt.toISOString()}.`,
    { retryAt },
  )
}

function rank(waiting: Waiting | undefined): number {
  return waiting ? priorities.indexOf(waiting.priority) : priorities.length
}
