/**
 * Keys that want a reconcile. Invariant: a key waits at most once and is reconciled by one worker at a time; a key that is
 * added while it is reconciled runs once more afterwards; nothing that was added is forgotten.
 */
import type { Logger } from 'pino'
import type { Metrics } from '../telemetry/metrics.ts'
import { createDelays } from './delays.ts'
import { isConflict, KubeError } from './errors.ts'

export interface ReconcileResult {
  /** When to look again without an event; any event comes first. */
  readonly requeueAfterMs?: number
}

export type Reconcile = (key: string, signal: AbortSignal) => Promise<ReconcileResult | undefined> | Promise<void>

export interface Queue {
  add(key: string): void
  /** The earliest of several times is kept. */
  addAfter(key: string, delayMs: number): void
  start(): void
  /**
   * Takes no new work and waits for what is in hand. When `hurry` aborts, the signals of the reconciles abort too, and
   * this still waits for them to return.
   */
  stop(hurry?: AbortSignal): Promise<void>
  /** Keys that wait for a worker. */
  readonly size: number
  /** Keys that are being reconciled. */
  readonly active: number
}

export interface QueueOptions {
  /** Label in metrics and logs. */
  readonly name: string
  readonly workers: number
  readonly reconcile: Reconcile
  readonly log: Logger
  readonly metrics: Metrics
  /** Waits after errors of the same key: doubled each time from minMs to maxMs, of which a random part is taken. */
  readonly backoff?: { readonly minMs: number; readonly maxMs: number }
}

const standardBackoff = { minMs: 100, maxMs: 300_000 }
/** The soonest that an event brings a failing key back. */
const calmMs = 1000

export function createQueue(options: QueueOptions): Queue {
  const { name, log, metrics } = options
  const backoff = options.backoff ?? standardBackoff
  // Insertion order is the order of service; the value is when the key was added.
  const waiting = new Map<string, number>()
  const active = new Set<string>()
  const again = new Set<string>()
  const failures = new Map<string, number>()
  const delays = createDelays(due)
  let state: 'new' | 'running' | 'stopped' = 'new'
  let hurryUp = new AbortController()
  let idle: (() => void) | undefined

  function add(key: string): void {
    if (state === 'stopped' || waiting.has(key) || again.has(key)) return
    metrics.queueAdds.inc({ name })
    if (active.has(key)) {
      again.add(key)
      return
    }
    // What made it fail may be repaired now, so it need not wait in full; but a busy object must not be tried in a hot loop.
    if (failures.has(key)) delays.add(key, calmMs)
    else enqueue(key)
  }

  function enqueue(key: string): void {
    delays.remove(key)
    waiting.set(key, performance.now())
    metrics.queueDepth.set({ name }, waiting.size)
    work()
  }

  function due(key: string): void {
    if (state === 'stopped' || waiting.has(key)) return
    if (active.has(key)) again.add(key)
    else enqueue(key)
  }

  function work(): void {
    while (state === 'running' && active.size < options.workers) {
      const next = waiting.entries().next().value
      if (next === undefined) return
      const [key, since] = next
      waiting.delete(key)
      active.add(key)
      metrics.queueDepth.set({ name }, waiting.size)
      metrics.queueSeconds.observe({ name }, (performance.now() - since) / 1000)
      void run(key)
    }
  }

  async function run(key: string): Promise<void> {
    const begin = performance.now()
    try {
      // Starts in a turn of its own, so that adding a key never runs a reconcile inside the caller.
      await undefined
      const result = await options.reconcile(key, hurryUp.signal)
      failures.delete(key)
      const wait = result?.requeueAfterMs
      metrics.reconciles.inc({ controller: name, result: wait === undefined ? 'success' : 'requeue' })
      if (wait !== undefined && !again.has(key) && state === 'running') delays.add(key, wait)
    } catch (error) {
      failed(key, error)
    } finally {
      metrics.reconcileSeconds.observe({ controller: name }, (performance.now() - begin) / 1000)
      active.delete(key)
      if (again.delete(key) && state === 'running') {
        if (failures.has(key)) delays.add(key, calmMs)
        else enqueue(key)
      }
      if (active.size === 0) idle?.()
      work()
    }
  }

  function failed(key: string, error: unknown): void {
    if (state === 'stopped') return
    const number = (failures.get(key) ?? 0) + 1
    failures.set(key, number)
    metrics.reconciles.inc({ controller: name, result: 'error' })
    metrics.reconcileErrors.inc({ controller: name })
    metrics.queueRetries.inc({ name })
    const wait = waitAfter(number, error)
    delays.add(key, wait)
    const fields = { queue: name, key, failures: number, retryMs: Math.round(wait), err: error }
    if (isConflict(error)) log.debug(fields, 'reconcile met a newer version and runs again')
    else log.error(fields, 'reconcile failed')
  }

  function waitAfter(number: number, error: unknown): number {
    const longest = Math.min(backoff.maxMs, backoff.minMs * 2 ** Math.min(number - 1, 30))
    // Half is fixed, so that a retry never comes at once; half is random, so that many keys do not come together.
    const wait = longest / 2 + (Math.random() * longest) / 2
    const asked = error instanceof KubeError ? (error.retryAfterSeconds ?? 0) * 1000 : 0
    return Math.max(wait, asked)
  }

  return {
    add,
    addAfter(key, delayMs) {
      if (state === 'stopped' || waiting.has(key)) return
      delays.add(key, failures.has(key) ? Math.max(delayMs, calmMs) : delayMs)
    },
    start() {
      if (state === 'running') return
      if (state === 'stopped') hurryUp = new AbortController()
      state = 'running'
      work()
    },
    async stop(hurry) {
      state = 'stopped'
      delays.clear()
      waiting.clear()
      again.clear()
      metrics.queueDepth.set({ name }, 0)
      const abort = () => hurryUp.abort()
      if (hurry?.aborted) abort()
      hurry?.addEventListener('abort', abort, { once: true })
      if (active.size > 0) await new Promise<void>((resolve) => (idle = resolve))
      hurry?.removeEventListener('abort', abort)
    },
    get size() {
      return waiting.size
    },
    get active() {
      return active.size
    },
  }
}
