/**
 * The reconciler of ScmConnections. One pass: finalizer → credential → check → discovery → status, stopping at the first
 * failure, which the status then tells. Looks again when the Secret may have changed, a check is due, or discovery is.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Logger } from 'pino'
import { conditionTypes } from '../../api/conditions.ts'
import type { ScmConnection, ScmRepository } from '../../api/kinds.ts'
import { apiVersion, fieldManagers, finalizers } from '../../api/names.ts'
import type { KubeClient } from '../../kube/client.ts'
import { isTrue } from '../../kube/conditions.ts'
import type { EventRecorder } from '../../kube/events.ts'
import { keyOf } from '../../kube/objects.ts'
import { forEachParallel } from '../../kube/parallel.ts'
import type { Reconcile, ReconcileResult } from '../../kube/queue.ts'
import { resources } from '../../kube/resources.ts'
import type { Store } from '../../kube/store.ts'
import { ScmError } from '../../scm/types.ts'
import type { Redactor } from '../../telemetry/redact.ts'
import { type Clients, credentialName } from './clients.ts'
import {
  type ConnectionTimes,
  due,
  finalizerChange,
  type Memory,
  nextLook,
  type Outcome,
  pendingRequest,
  statusOf,
} from './decide.ts'
import { discover } from './discovery.ts'

export interface ScmConnectionDeps {
  readonly client: KubeClient
  readonly connections: Store<ScmConnection>
  readonly repositories: Store<ScmRepository>
  readonly clients: Clients
  readonly events: EventRecorder
  readonly redactor: Redactor
  readonly log: Logger
  readonly now: () => Date
  /** Called when the connection becomes usable, so that what waits for it is looked at again. */
  readonly onReady: (key: string) => void
  /** Whether credentials of a connection that is gone are still out, which only its client can revoke. */
  readonly holdsCredentials: (key: string) => boolean
  /** Whether a call of a scan was refused since this was asked last. */
  readonly takeSuspicion: (key: string) => boolean
  readonly times: ConnectionTimes
}

/** A test of the connection is a handful of calls; a host that takes longer is not reachable. */
const checkTimeoutMs = 60_000
/** How soon a connection that is gone is looked at again for credentials that are out. */
const lingerMs = 1000
const fresh: Memory = { failures: 0 }

export function createScmConnectionReconciler(deps: ScmConnectionDeps): Reconcile {
  const memories = new Map<string, Memory>()

  return async (key, signal) => {
    const connection = deps.connections.get(key)
    if (connection === undefined) {
      memories.delete(key)
      if (deps.holdsCredentials(key)) return { requeueAfterMs: lingerMs }
      await deps.clients.drop(key)
      return
    }
    if (connection.metadata.deletionTimestamp !== undefined) return purge(connection, deps)
    const change = finalizerChange(connection)
    if (change !== undefined) await writeFinalizer(connection, change === 'add', deps)

    const before = memories.get(key) ?? fresh
    if (connection.spec.suspend) {
      await writeStatus(connection, before, deps)
      return
    }
    const after = await look(connection, before, deps, signal)
    memories.set(key, after)
    await writeStatus(connection, after, deps)
    return { requeueAfterMs: jittered(nextLook(connection, after, deps.now(), deps.times)) }
  }
}

/** Checks and discovers what is due, and remembers the outcome. */
async function look(
  connection: ScmConnection,
  before: Memory,
  deps: ScmConnectionDeps,
  signal: AbortSignal,
): Promise<Memory> {
  let memory = before
  // Handled when it has been tried: what came of it, the status tells.
  const request = pendingRequest(connection, before)
  const handled = request !== undefined && { handledRequest: request }
  const suspected = deps.takeSuspicion(keyOf(connection))
  try {
    const clientChanged = await deps.clients.refresh(connection)
    const wanted = due(connection, before, { clientChanged, suspected }, deps.now(), deps.times)
    const scm = await deps.clients.get(keyOf(connection))
    if (wanted.check) {
      const report = await scm.testConnection(AbortSignal.any([signal, AbortSignal.timeout(checkTimeoutMs)]))
      memory = remember(connection, memory, { ok: true, report }, deps)
      // Told before a discovery that may take long; but one that failed is not called well before it has succeeded.
      if (before.outcome?.ok !== false) await writeStatus(connection, memory, deps)
    }
    if (wanted.discovery && memory.outcome?.ok && memory.outcome.report.missing.length === 0) {
      const discovered = await discover(connection, scm, deps, signal)
      const discoveredGeneration = connection.metadata.generation
      memory = { ...memory, discovered, discoveredAt: deps.now(), discoveredGeneration }
    }
    return { ...memory, ...handled }
  } catch (error) {
    // Anything that is not understood is tried again by the queue, and shown in the log.
    if (!(error instanceof ScmError)) throw error
    const message = deps.redactor.redact(error.message)
    const outcome: Outcome = { ok: false, reason: error.reason, message, retryAt: error.retryAt }
    // A check that succeeds before each discovery that fails must not hide how often this went wrong.
    return { ...remember(connection, { ...memory, failures: before.failures }, outcome, deps), ...handled }
  }
}

function remember(connection: ScmConnection, memory: Memory, outcome: Outcome, deps: ScmConnectionDeps): Memory {
  const failures = outcome.ok ? 0 : memory.failures + 1
  return { ...memory, outcome, failures, checkedAt: deps.now(), checkedGeneration: connection.metadata.generation }
}

async function writeStatus(connection: ScmConnection, memory: Memory, deps: ScmConnectionDeps): Promise<void> {
  const key = keyOf(connection)
  const current = deps.connections.get(key) ?? connection
  const status = statusOf(current, memory, credentialName(connection), deps.now())
  if (isDeepStrictEqual(status, current.status)) return
  const { name, namespace, uid } = connection.metadata
  const object = { apiVersion, kind: 'ScmConnection', metadata: { name, namespace }, status }
  const written = await deps.client.apply(resources.scmConnections, namespace, object, {
    fieldManager: fieldManagers.connection,
    subresource: 'status',
  })
  deps.connections.observe(key, written)
  const readyOf = ({ status }: Pick<ScmConnection, 'status'>) =>
    status?.conditions?.find(({ type }) => type === conditionTypes.Ready)
  const [was, is] = [readyOf(current), readyOf({ status })]
  if (is && was?.reason !== is.reason && is.reason !== 'Checking') {
    const reference = { apiVersion, kind: 'ScmConnection', name, namespace, uid }
    deps.events.event(
      reference,
      is.status === 'True' || is.reason === 'Suspended' ? 'Normal' : 'Warning',
      is.reason,
      is.message,
    )
  }
  if (isTrue(status.conditions, conditionTypes.Ready) && was?.status !== 'True') deps.onReady(key)
}

/** deletionPolicy Purge: the repositories go first, then the finalizer. */
async function purge(connection: ScmConnection, deps: ScmConnectionDeps): Promise<ReconcileResult | undefined> {
  if (!connection.metadata.finalizers?.includes(finalizers.purge)) return
  const repositories = deps.repositories.byIndex('connection', keyOf(connection))
  await forEachParallel(repositories, 16, async ({ metadata }) => {
    await deps.client.delete(resources.scmRepositories, metadata.namespace, metadata.name, { uid: metadata.uid })
  })
  // Those that were just being discovered may still appear.
  if (repositories.length > 0) return { requeueAfterMs: 500 }
  await writeFinalizer(connection, false, deps)
  return
}

async function writeFinalizer({ metadata }: ScmConnection, wanted: boolean, deps: ScmConnectionDeps): Promise<void> {
  const others = (metadata.finalizers ?? []).filter((finalizer) => finalizer !== finalizers.purge)
  const patch = {
    metadata: {
      resourceVersion: metadata.resourceVersion,
      finalizers: wanted ? [...others, finalizers.purge] : others,
    },
  }
  const options = { type: 'merge', fieldManager: fieldManagers.connection } as const
  const written = await deps.client.patch(resources.scmConnections, metadata.namespace, metadata.name, patch, options)
  if (metadata.deletionTimestamp === undefined)
    deps.connections.observe(`${metadata.namespace}/${metadata.name}`, written)
}

/** Connections of one controller do not ask their hosts in step. */
function jittered(milliseconds: number): number {
  return milliseconds * (0.9 + Math.random() * 0.1)
}
