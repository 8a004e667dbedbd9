/**
 * Writes outcomes from the store into the status of their ScanRuns, once each, and remembers that it did. The store is
 * the outbox: what a crash or an absent API server left over is found there again. The first terminal status stands: a
 * run that was ended by another writer is left as it is.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { ScanRunReason } from '../../api/conditions.ts'
import type { ScanRun } from '../../api/kinds.ts'
import { fieldManagers } from '../../api/names.ts'
import type { KubeClient } from '../../kube/client.ts'
import { findCondition, isTrue } from '../../kube/conditions.ts'
import { isConflict, isNotFound } from '../../kube/errors.ts'
import { createQueue } from '../../kube/queue.ts'
import { resources } from '../../kube/resources.ts'
import { hasEnded } from '../../scan/outcome.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import type { Runs } from '../runs.ts'
import type { FindingsStore, StoredScan } from '../store/index.ts'
import type { Publication } from '../store/schema.ts'
import { statusFor } from './status.ts'

export interface PublisherDeps {
  readonly client: KubeClient
  readonly runs: Runs
  readonly store: FindingsStore
  readonly log: Logger
  readonly metrics: Metrics
  readonly now: () => Date
}

export interface Publisher {
  /** Writes the outcome of the attempt now. */
  add(runUid: string, attempt: number): void
  /** Begins with what is owed; call it when the caches are synced. */
  start(): void
  stop(hurry?: AbortSignal): Promise<void>
}

/** How often the outbox is read again, for what another replica left behind. */
const sweepMs = 30_000
const sweepBatch = 500
/** How soon a write is tried again that met a newer version than the cache had: its event is on the way. */
const conflictMs = 30

export function createPublisher(deps: PublisherDeps): Publisher {
  const { client, runs, store, log, now } = deps
  const queue = createQueue({
    name: 'publish-result',
    workers: 4,
    backoff: { minMs: 100, maxMs: 15_000 },
    log,
    metrics: deps.metrics,
    reconcile: publish,
  })
  let sweeping: NodeJS.Timeout | undefined

  async function publish(key: string, signal: AbortSignal): Promise<{ requeueAfterMs: number } | undefined> {
    const [runUid, attempt] = parseKey(key)
    const scan = await store.scan(runUid, attempt)
    if (!scan || scan.publication) return undefined
    const run = runs.find(runUid)
    const settle = (publication: Publication) => store.markPublished(runUid, attempt, publication, now().toISOString())
    if (!run) return void (await settle('RunGone'))
    if (hasEnded(run)) return void (await settle(tells(run, scan) ? 'Written' : 'RunEnded'))
    if (run.status?.attempt?.number !== attempt) return void (await settle('RunEnded'))
    try {
      const { namespace } = run.metadata
      const status = statusFor(scan, run, now())
      const options = { fieldManager: fieldManagers.gateway, subresource: 'status', signal } as const
      runs.observe(await client.apply(resources.scanRuns, namespace, status, options))
    } catch (error) {
      if (isNotFound(error)) return void (await settle('RunGone'))
      if (isConflict(error)) return { requeueAfterMs: conflictMs }
      throw error
    }
    await settle('Written')
    const { outcome } = scan.summary
    log.info({ namespace: scan.namespace, scanRun: scan.runName, attempt, outcome }, 'outcome written to the scan run')
    return undefined
  }

  async function sweep(): Promise<void> {
    try {
      for (const { runUid, attempt } of await store.unpublished(sweepBatch)) queue.add(keyOf(runUid, attempt))
    } catch (error) {
      log.error({ err: error }, 'outbox could not be read')
    }
    sweeping?.refresh()
  }

  return {
    add: (runUid, attempt) => queue.add(keyOf(runUid, attempt)),
    start() {
      queue.start()
      sweeping = setTimeout(() => void sweep(), sweepMs)
      void sweep()
    },
    async stop(hurry) {
      clearTimeout(sweeping)
      sweeping = undefined
      // What was just accepted is told before the process goes; what waits for a retry is found in the outbox later.
      while (!hurry?.aborted && queue.size + queue.active > 0) await sleep(10)
      await queue.stop(hurry)
    },
  }
}

/** Whether the end that the run shows is this outcome, so that our write arrived and only its answer was lost. */
function tells(run: ScanRun, { attempt, summary }: StoredScan): boolean {
  if (run.status?.attempt?.number !== attempt) return false
  const { conditions } = run.status
  if (summary.outcome === 'Accepted') return isTrue(conditions, 'Complete')
  return findCondition(conditions, 'Failed')?.reason === ('ResultInvalid' satisfies ScanRunReason)
}

function keyOf(runUid: string, attempt: number): string {
  return `${runUid}/${attempt}`
}

function parseKey(key: string): [string, number] {
  const at = key.lastIndexOf('/')
  return [key.slice(0, at), Number(key.slice(at + 1))]
}
