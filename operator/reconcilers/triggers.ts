/**
 * Which keys a change in the cluster sends to which queue. Invariant: handlers only add keys and wake the gate; what is to
 * be done is decided later, from the caches.
 */
import type { KubeObject } from '../api/kinds.ts'
import { annotations } from '../api/names.ts'
import { keyOf } from '../kube/objects.ts'
import type { Queue } from '../kube/queue.ts'
import { hasEnded } from '../scan/outcome.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { type Caches, type Listeners, runOf } from './caches.ts'
import type { Gate } from './scan-run/admission.ts'
import type { Credentials } from './scan-run/credentials.ts'

export interface Queues {
  readonly connections: Queue
  readonly managedScans: Queue
  readonly scanRuns: Queue
}

export interface TriggerParts {
  readonly caches: Caches
  readonly queues: Queues
  readonly gate: Gate
  readonly credentials: Credentials
  readonly metrics: Metrics
}

export interface Triggers {
  readonly listeners: Listeners
  /** Everything that waits for a connection, or that must end with it. */
  wakeConnection(key: string): void
  wakeAllRuns(): void
}

/** How long changes of children are gathered before their parent is looked at. */
const gatherMs = 300

/** `parts` is asked when something changes, so that caches and queues may be made after the listeners. */
export function createTriggers(parts: () => TriggerParts): Triggers {
  function wakeConnection(key: string): void {
    const { caches, queues } = parts()
    for (const scan of caches.managedScans.byIndex('connection', key)) {
      queues.managedScans.add(keyOf(scan))
      wakeRuns(keyOf(scan))
    }
  }

  function wakeRuns(managedScan: string): void {
    const { caches, queues } = parts()
    for (const run of caches.scanRuns.byIndex('managedScan', managedScan))
      if (!hasEnded(run)) queues.scanRuns.add(keyOf(run))
  }

  function gatherFor(connection: string): void {
    const { caches, queues } = parts()
    for (const scan of caches.managedScans.byIndex('connection', connection))
      queues.managedScans.addAfter(keyOf(scan), gatherMs)
  }

  const listeners: Listeners = {
    connections(key, current, previous) {
      const { queues } = parts()
      gatherFor(key)
      const discoveredFirst = current?.status?.lastDiscoveryTime !== undefined && !previous?.status?.lastDiscoveryTime
      if (discoveredFirst) wakeConnection(key)
      if (!wasChangedByPeople(current, previous)) return
      queues.connections.add(key)
      wakeConnection(key)
    },
    repositories(_key, current, previous) {
      const repository = current ?? previous
      if (repository === undefined) return
      gatherFor(`${repository.metadata.namespace}/${repository.spec.connectionRef.name}`)
    },
    managedScans(key, current, previous) {
      const { queues, gate } = parts()
      if (!wasChangedByPeople(current, previous)) {
        queues.managedScans.addAfter(key, gatherMs)
        return
      }
      queues.managedScans.add(key)
      wakeRuns(key)
      gate.wake()
    },
    scanRuns(key, current, previous) {
      const { queues } = parts()
      queues.scanRuns.add(key)
      const run = current ?? previous
      if (run) queues.managedScans.addAfter(`${run.metadata.namespace}/${run.spec.managedScanRef.name}`, gatherMs)
    },
    jobs(_key, current, previous) {
      const { caches, queues, gate, credentials, metrics } = parts()
      const job = current ?? previous
      for (const key of job ? runOf(job) : []) queues.scanRuns.add(key)
      if (previous && current?.metadata.uid !== previous.metadata.uid) {
        credentials.jobGone(previous.metadata.uid)
        gate.wake()
      }
      metrics.scansRunning.set(caches.jobs.size)
    },
    pods(_key, current, previous) {
      const { queues } = parts()
      const pod = current ?? previous
      for (const key of pod ? runOf(pod) : []) queues.scanRuns.add(key)
    },
  }

  return {
    listeners,
    wakeConnection,
    wakeAllRuns() {
      const { caches, queues } = parts()
      for (const run of caches.scanRuns.values()) if (!hasEnded(run)) queues.scanRuns.add(keyOf(run))
    },
  }
}

/** Anything but a status write of our own. */
function wasChangedByPeople(current: KubeObject | undefined, previous: KubeObject | undefined): boolean {
  const [a, b] = [current?.metadata, previous?.metadata]
  if (a === undefined || b === undefined || a.uid !== b.uid) return true
  const requested = a.annotations?.[annotations.requestedAt] !== b.annotations?.[annotations.requestedAt]
  return requested || a.generation !== b.generation || a.deletionTimestamp !== b.deletionTimestamp
}
