/**
 * A cache of one kind that follows the API server: list in pages, watch with bookmarks, list again from time to time.
 * Invariant: it never gives up and never blocks the event loop for long; after any fault of connection or server the store
 * becomes right again by itself, and `onChange` hears of every difference.
 */
import type { Logger } from 'pino'
import type { KubeObject } from '../api/kinds.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { KubeClient } from './client.ts'
import { createReflector, type Reflector, type ReflectorTimes, standardTimes } from './reflector.ts'
import type { Resource } from './resources.ts'
import { createStore, type Store } from './store.ts'

export type { Store } from './store.ts'

export interface Informer<T> {
  readonly store: Store<T>
  start(): void
  /** Resolves when the first list is in the store; rejects when the informer is stopped before. */
  synced(): Promise<void>
  readonly isSynced: boolean
  /** When each of its watches has heard of the server at last: the oldest of these moments, by `performance.now()`. */
  readonly lastActivity: number
  /** Resolves when nothing runs any more; afterwards `onChange` is not called. It can be started again. */
  stop(): Promise<void>
}

export interface InformerOptions<T extends KubeObject> {
  readonly client: KubeClient
  readonly resource: Resource<T>
  /** Empty for all namespaces. */
  readonly namespaces: readonly string[]
  readonly labelSelector?: string
  /** Keeps only what controllers need, metadata included; see projectMetadata. */
  readonly project: (raw: T) => T
  readonly indexes?: Readonly<Record<string, (object: T) => readonly string[]>>
  /** Only enqueues keys: it runs inside the watch. Also called for what `store.observe` and `store.forget` change. */
  readonly onChange: (key: string, current: T | undefined, previous: T | undefined) => void
  readonly log: Logger
  readonly metrics: Metrics
  readonly times?: Partial<ReflectorTimes>
}

export function createInformer<T extends KubeObject>(options: InformerOptions<T>): Informer<T> {
  const { resource, metrics, log, namespaces } = options
  const label = { resource: resource.plural }
  let running: { readonly controller: AbortController; readonly done: Promise<unknown> } | undefined
  let sync = Promise.withResolvers<void>()
  let isSynced = false
  let reflectors: readonly Reflector[] = []
  markHandled(sync.promise)

  const store = createStore<T>({
    project: options.project,
    indexes: options.indexes ?? {},
    onChange(key, current, previous) {
      try {
        options.onChange(key, current, previous)
      } catch (error) {
        metrics.handlerErrors.inc(label)
        log.error({ ...label, key, err: error }, 'an event handler threw')
      }
    },
  })

  function reflectorOf(namespace: string | undefined): Reflector {
    const { client, labelSelector, times } = options
    const all = { ...standardTimes, ...times }
    return createReflector({ client, resource, namespace, labelSelector, store, log, metrics, times: all })
  }

  return {
    store,
    start() {
      if (running !== undefined) return
      const controller = new AbortController()
      const { signal } = controller
      reflectors = namespaces.length === 0 ? [reflectorOf(undefined)] : namespaces.map(reflectorOf)
      const current = sync
      void Promise.all(reflectors.map((reflector) => reflector.listed)).then(() => {
        if (signal.aborted) return
        isSynced = true
        current.resolve()
        log.debug({ ...label, objects: store.size }, 'cache is in sync')
      })
      running = { controller, done: Promise.all(reflectors.map((reflector) => reflector.run(signal))) }
    },
    synced: () => sync.promise,
    get isSynced() {
      return isSynced
    },
    get lastActivity() {
      return Math.min(...reflectors.map((reflector) => reflector.lastActivity))
    },
    async stop() {
      if (running === undefined) return
      const { controller, done } = running
      controller.abort()
      await done
      running = undefined
      isSynced = false
      sync.reject(new Error(`the cache of ${resource.plural} was stopped`))
      sync = Promise.withResolvers<void>()
      markHandled(sync.promise)
    },
  }
}

/** Nobody has to wait for the sync, so a rejection must not end the process. */
function markHandled(promise: Promise<void>): void {
  promise.catch(() => undefined)
}
