/**
 * Kubernetes events about our objects. Invariant: an event is an extra, so writing one never throws, never delays a
 * reconcile, never repeats itself and never says a secret; the same sentence again only raises a count.
 */
import { createHash, randomUUID } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Logger } from 'pino'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Redactor } from '../telemetry/redact.ts'
import type { KubeClient } from './client.ts'
import { timestamp } from './conditions.ts'
import { isAlreadyExists, isNotFound } from './errors.ts'
import type { ObjectReference } from './objects.ts'
import { resources } from './resources.ts'

export interface EventRecorder {
  /** Returns at once. The reason is a constant of api/conditions.ts. */
  event(object: ObjectReference, type: 'Normal' | 'Warning', reason: string, message: string): void
  /** Resolves when everything accepted so far has been written or given up. */
  flush(): Promise<void>
}

export interface EventRecorderOptions {
  readonly client: KubeClient
  /** What reports, such as scanfleet-controller. */
  readonly component: string
  /** Which of its processes, such as the pod's name. */
  readonly instance: string
  readonly redactor: Redactor
  readonly log: Logger
  readonly metrics: Metrics
  readonly now?: () => Date
}

/** The same sentence within this time is the same event. */
const windowMs = 3_600_000
/** New sentences about one object: so many at once, then one more every `refillMs`. */
const burst = 25
const refillMs = 30_000
/** The API server's limit. */
const longestMessage = 1024
const longestQueue = 1000

interface Recorded {
  readonly name: string
  count: number
}

export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const { client, component, instance, redactor, log, metrics } = options
  const now = options.now ?? (() => new Date())
  const recorded = new LRUCache<string, Recorded>({ max: 5000, ttl: windowMs })
  // Events of an earlier process are left alone, since their counts are not known here.
  const origin = `${component}/${instance}/${randomUUID()}`
  const allowances = new LRUCache<string, { left: number; at: number }>({ max: 5000 })
  let waiting = 0
  let tail: Promise<void> = Promise.resolve()

  function mayWrite(uid: string): boolean {
    const time = performance.now()
    const allowance = allowances.get(uid) ?? { left: burst, at: time }
    const left = Math.min(burst, allowance.left + (time - allowance.at) / refillMs)
    if (left < 1) return false
    allowances.set(uid, { left: left - 1, at: time })
    return true
  }

  async function write(object: ObjectReference, type: string, reason: string, message: string): Promise<void> {
    const key = [object.uid, type, reason, message].join('\u0000')
    const before = recorded.get(key)
    if (before !== undefined) {
      before.count++
      if (await raise(object.namespace, before)) return
      recorded.delete(key)
    }
    const name = nameOf(object, `${origin}\u0000${key}`, now())
    await create(name, object, type, reason, message)
    recorded.set(key, { name, count: 1 })
  }

  /** False when the event is gone, since the API server keeps events for an hour only. */
  async function raise(namespace: string, { name, count }: Recorded): Promise<boolean> {
    try {
      const patch = { count, lastTimestamp: timestamp(now()) }
      await client.patch(resources.events, namespace, name, patch, { type: 'merge' })
      return true
    } catch (error) {
      if (isNotFound(error)) return false
      throw error
    }
  }

  async function create(name: string, object: ObjectReference, type: string, reason: string, message: string) {
    const time = timestamp(now())
    try {
      await client.create(resources.events, object.namespace, {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name, namespace: object.namespace },
        involvedObject: object,
        type,
        reason,
        message,
        source: { component },
        reportingComponent: component,
        reportingInstance: instance,
        firstTimestamp: time,
        lastTimestamp: time,
        count: 1,
      })
    } catch (error) {
      // The answer to an earlier attempt was lost: the event is there.
      if (!isAlreadyExists(error)) throw error
    }
  }

  return {
    event(object, type, reason, text) {
      const message = bounded(redactor.redact(text))
      if (waiting >= longestQueue || !mayWrite(object.uid)) {
        metrics.eventsDropped.inc({ cause: 'rate' })
        return
      }
      waiting++
      // One after another: the count of an event must not be raised before it exists.
      tail = tail
        .then(() => write(object, type, reason, message))
        .catch((error: unknown) => {
          metrics.eventsDropped.inc({ cause: 'refused' })
          log.debug(
            { kind: object.kind, namespace: object.namespace, name: object.name, reason, err: error },
            'an event could not be written',
          )
        })
        .finally(() => waiting--)
    },
    flush: () => tail,
  }
}

/** The same for every attempt to write the same event, and new after the window. */
function nameOf(object: ObjectReference, key: string, time: Date): string {
  const slot = Math.floor(time.getTime() / windowMs)
  const digest = createHash('sha256').update(`${key}\u0000${slot}`).digest('hex').slice(0, 16)
  return `${object.name.slice(0, 200).replace(/[^a-z0-9]+$/, '')}.${digest}`
}

function bounded(text: string): string {
  return text.length > longestMessage ? `${text.slice(0, longestMessage - 1)}…` : text
}
