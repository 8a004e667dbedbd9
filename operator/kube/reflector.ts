/**
 * Keeps one namespace (or all) of a store equal to the API server. One loop owns the state: it lists, then watches from
 * there, and after every kind of end decides what comes next. Invariant: a list never runs before its wait, so that a
 * server in trouble is not asked in a hot loop.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { KubeObject } from '../api/kinds.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { KubeClient } from './client.ts'
import { isExpired, KubeError } from './errors.ts'
import type { Resource } from './resources.ts'
import { isOlder, type WritableStore } from './store.ts'
import { UnreadableWatchError, type WatchEvent } from './watch.ts'

export interface ReflectorTimes {
  /** Objects in a page of a list. */
  readonly pageSize: number
  /** A full list that repairs what was missed, this often and up to a fifth more. */
  readonly relistMs: number
  /** The server ends a watch after this time and up to half more. */
  readonly watchSeconds: number
  /** A watch without a byte for so long is dead: the server sends a bookmark every minute. */
  readonly silenceMs: number
  readonly backoffMinMs: number
  readonly backoffMaxMs: number
  /** The longest work without letting others have a turn. */
  readonly sliceMs: number
}

export const standardTimes: ReflectorTimes = {
  pageSize: 500,
  relistMs: 600_000,
  watchSeconds: 300,
  silenceMs: 80_000,
  backoffMinMs: 200,
  backoffMaxMs: 10_000,
  sliceMs: 5,
}

export interface Reflector {
  /** Resolves after the first complete list. */
  readonly listed: Promise<void>
  /** By `performance.now()`; of its making before it has run. */
  readonly lastActivity: number
  /** Runs until the signal aborts. Never rejects. */
  run(signal: AbortSignal): Promise<void>
}

export interface ReflectorOptions<T extends KubeObject> {
  readonly client: KubeClient
  readonly resource: Resource<T>
  readonly namespace: string | undefined
  readonly labelSelector: string | undefined
  readonly store: WritableStore<T>
  readonly log: Logger
  readonly metrics: Metrics
  readonly times: ReflectorTimes
}

type Cause = 'start' | 'expired' | 'unreadable' | 'periodic'

export function createReflector<T extends KubeObject>(options: ReflectorOptions<T>): Reflector {
  const { client, resource, namespace, labelSelector, store, log, metrics, times } = options
  const label = { resource: resource.plural }
  const listed = Promise.withResolvers<void>()
  let lastActivity = performance.now()
  let sliceBegin = 0

  function active(): void {
    lastActivity = performance.now()
    metrics.watchActivity.set(label, Date.now() / 1000)
  }

  /** Lets others have a turn when this one has worked for long enough. */
  async function breathe(): Promise<void> {
    if (performance.now() - sliceBegin < times.sliceMs) return
    await nextTurn()
    sliceBegin = performance.now()
  }

  /** `watched` is the version up to which the watch has brought everything, or should have. */
  async function list(cause: Cause, watched: string, signal: AbortSignal): Promise<string> {
    metrics.relists.inc({ ...label, cause })
    const seen = new Set<string>()
    let missed = 0
    let version: string | undefined
    let next: string | undefined
    do {
      const page = await client.list(resource, namespace, {
        limit: times.pageSize,
        continue: next,
        labelSelector,
        signal,
      })
      active()
      sliceBegin = performance.now()
      version ??= page.resourceVersion
      for (const object of page.items) {
        seen.add(object.metadata.uid)
        if (store.put(object) && !isOlder(watched, object.metadata.resourceVersion)) missed++
        await breathe()
      }
      next = page.continue
    } while (next !== undefined)
    missed += store.retain(namespace, seen, version)
    metrics.cachedObjects.set(label, store.size)
    if (cause === 'periodic' && missed > 0) {
      metrics.repairs.inc(label, missed)
      log.info({ ...label, namespace, missed }, 'a periodic list found changes that no watch had brought')
    }
    return version
  }

  /** Follows a watch to its end and returns from where the next one goes on. */
  async function watch(from: string, until: number, signal: AbortSignal, progress: (version: string) => void) {
    const silent = new AbortController()
    const alarm = setTimeout(() => silent.abort(new SilentWatchError()), times.silenceMs)
    const left = Math.max(1, Math.ceil((until - performance.now()) / 1000))
    const timeoutSeconds = Math.min(Math.ceil(times.watchSeconds * (1 + Math.random() / 2)), left)
    const ended = AbortSignal.any([signal, silent.signal])
    try {
      const batches = await client.watch(resource, namespace, {
        resourceVersion: from,
        labelSelector,
        timeoutSeconds,
        signal: ended,
      })
      active()
      for await (const batch of batches) {
        alarm.refresh()
        active()
        sliceBegin = performance.now()
        for (const event of batch) {
          if (signal.aborted) return
          apply(event)
          progress(event.object.metadata.resourceVersion)
          await breathe()
        }
      }
    } catch (error) {
      throw silent.signal.aborted && !signal.aborted ? silent.signal.reason : error
    } finally {
      clearTimeout(alarm)
    }
  }

  function apply(event: WatchEvent<T>): void {
    if (event.type === 'BOOKMARK') return
    if (event.type === 'DELETED') store.remove(event.object)
    else store.put(event.object)
    metrics.cachedObjects.set(label, store.size)
  }

  async function run(signal: AbortSignal): Promise<void> {
    let version: string | undefined
    let watched = ''
    let cause: Cause = 'start'
    let failures = 0
    let nextList = 0
    while (!signal.aborted) {
      try {
        if (version !== undefined && performance.now() >= nextList) {
          cause = 'periodic'
          watched = version
          version = undefined
        }
        if (version === undefined) {
          version = await list(cause, watched, signal)
          nextList = performance.now() + times.relistMs * (1 + Math.random() / 5)
          listed.resolve()
        }
        const begin = performance.now()
        await watch(version, nextList, signal, (seen) => {
          version = seen
          failures = 0
        })
        metrics.watchRestarts.inc({ ...label, cause: 'end' })
        // A server that ends watches at once must not be asked at once again.
        failures = performance.now() - begin < 1000 ? failures + 1 : 0
        if (failures > 0) await pause(waitAfter(failures, undefined), signal)
      } catch (error) {
        if (signal.aborted) return
        failures++
        const wait = waitAfter(failures, error)
        metrics.watchRestarts.inc({ ...label, cause: error instanceof SilentWatchError ? 'silent' : 'error' })
        if (isExpired(error)) [version, cause] = [undefined, 'expired']
        if (error instanceof UnreadableWatchError) [version, cause] = [undefined, 'unreadable']
        const fields = { ...label, namespace, failures, retryMs: Math.round(wait), err: error }
        if (failures > 2) log.warn(fields, 'list or watch failed and will be tried again')
        else log.debug(fields, 'list or watch was interrupted')
        await pause(wait, signal)
      }
    }
  }

  function waitAfter(failures: number, error: unknown): number {
    const longest = Math.min(times.backoffMaxMs, times.backoffMinMs * 2 ** Math.min(failures - 1, 20))
    const asked = error instanceof KubeError ? (error.retryAfterSeconds ?? 0) * 1000 : 0
    return Math.max(asked, Math.random() * longest)
  }

  return {
    listed: listed.promise,
    get lastActivity() {
      return lastActivity
    },
    run,
  }
}

class SilentWatchError extends Error {
  override name = 'SilentWatchError'
  override message = 'a watch was silent for too long'
}

/** Ends early, without an error, when the signal aborts. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined)
}
