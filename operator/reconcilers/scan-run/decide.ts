/**
 * What to do next about one ScanRun. Pure: a snapshot and the time in, a list of small actions out.
 *
 *     created ──► waiting ──► admitted ──► dispatched ──► running ──► ended (Complete by the gateway, Failed by us)
 *                                              Job, policy, Secret        │
 *                                                                         └──► Job deleted ──► pod gone: evidence
 */
import type { ScanRunReason } from '../../api/conditions.ts'
import { conditionTypes } from '../../api/conditions.ts'
import type { KubeObject, ScanRun } from '../../api/kinds.ts'
import { findCondition, isTrue } from '../../kube/conditions.ts'
import type { Job } from '../../kube/objects.ts'
import { type AttemptFacts, factsOf } from '../../scan/attempt.ts'
import { classify, hasCloneEnded } from '../../scan/classify.ts'
import { hasEnded } from '../../scan/outcome.ts'
import { durationSeconds } from '../../scan/quantities.ts'
import type { Candidate } from './admission.ts'
import type { Snapshot } from './observe.ts'

export type Action =
  /** Ask for a place among the scans that may run. */
  | { readonly type: 'requestAdmission'; readonly candidate: Candidate }
  | { readonly type: 'withdraw' }
  | { readonly type: 'dispatch' }
  | { readonly type: 'writeWaiting'; readonly reason: ScanRunReason; readonly message: string }
  | { readonly type: 'writeRunning'; readonly facts: AttemptFacts; readonly job: Job }
  | { readonly type: 'fail'; readonly reason: ScanRunReason; readonly message: string }
  /** Fail as JobLost, after the API server itself has confirmed that there is no Job. */
  | { readonly type: 'failIfJobGone' }
  | { readonly type: 'releaseCredential'; readonly job: Job }
  | { readonly type: 'deleteJob'; readonly job: Job }
  /** A Job that never started: deleted if it is still as it was seen, and only then its credential is given back. */
  | { readonly type: 'discardJob'; readonly job: Job }
  /** The pod is gone: write the evidence, and what was found to the ScmRepository. */
  | { readonly type: 'finish' }
  | { readonly type: 'requeue'; readonly afterMs: number }

/** A pod that has not started by then never will. */
export const startTimeoutMs = 10 * 60_000
/** How long the accepted result may take to reach the cache after the pod has ended well. */
export const resultTimeoutMs = 2 * 60_000
/** The message that the API itself gives a new run. */
const turnMessage = 'Waiting for its turn.'

export function decide(snapshot: Snapshot, now: Date): readonly Action[] {
  const { run, job } = snapshot
  if (run === undefined || isBeingDeleted(run)) return [{ type: 'withdraw' }, ...removal(snapshot)]
  if (hasEnded(run)) return [{ type: 'withdraw' }, ...afterEnd(snapshot, run)]
  if (job === undefined) return beforeStart(snapshot, run)

  const facts = factsOf(job)
  if (facts?.runUid !== run.metadata.uid) {
    // Left behind by a run of the same name that was deleted; ours starts when it is gone.
    return [...removal(snapshot), { type: 'requeue', afterMs: 1000 }]
  }
  // A suspended Job is a dispatch that was cut off. Nothing has run, so it starts afresh; should the cache be behind and the
  // Job run already, the precondition keeps it and its credential.
  if (job.spec.suspend === true) return isBeingDeleted(job) ? [] : [{ type: 'discardJob', job }]
  // One write at a time: what is decided next builds on the status that this one leaves.
  if (run.status?.startTime === undefined) return [{ type: 'withdraw' }, { type: 'writeRunning', facts, job }]
  return whileRunning(snapshot, run.status.startTime, job, now)
}

function isBeingDeleted({ metadata }: KubeObject): boolean {
  return metadata.deletionTimestamp !== undefined
}

/** What people have told to go counts as gone, though a finalizer may still hold it. */
function unlessDeleted<T extends KubeObject>(object: T | undefined): T | undefined {
  return object === undefined || isBeingDeleted(object) ? undefined : object
}

function removal({ job, credentialReleased }: Snapshot): Action[] {
  if (job === undefined) return []
  const release: Action[] = credentialReleased ? [] : [{ type: 'releaseCredential', job }]
  return isBeingDeleted(job) ? release : [...release, { type: 'deleteJob', job }]
}

function afterEnd(snapshot: Snapshot, run: ScanRun): Action[] {
  const { job, pod } = snapshot
  if (job !== undefined) return removal(snapshot)
  if (pod !== undefined) return []
  const started = run.status?.startTime !== undefined
  return started && run.status?.evidence?.podDeletedTime === undefined ? [{ type: 'finish' }] : []
}

function beforeStart(snapshot: Snapshot, run: ScanRun): Action[] {
  const managedScan = unlessDeleted(snapshot.managedScan)
  const connection = unlessDeleted(snapshot.connection)
  const repository = unlessDeleted(snapshot.repository)
  // It was started once, so its Job has been deleted, unless our cache is behind.
  if (run.status?.startTime !== undefined) return [{ type: 'withdraw' }, { type: 'failIfJobGone' }]

  const refuse = (reason: ScanRunReason, message: string): Action[] => [
    { type: 'withdraw' },
    { type: 'fail', reason, message },
  ]
  const wait = (reason: ScanRunReason, message: string): Action[] => [
    { type: 'withdraw' },
    { type: 'writeWaiting', reason, message },
  ]
  const scanName = run.spec.managedScanRef.name
  if (managedScan === undefined)
    return refuse('ManagedScanNotFound', `There is no ManagedScan ${scanName} in this namespace.`)
  const connectionName = managedScan.spec.connectionRef.name
  if (connection === undefined) {
    return refuse('ConnectionNotFound', `There is no ScmConnection ${connectionName} in this namespace.`)
  }
  if (connection.spec.suspend) return wait('Waiting', `The ScmConnection ${connectionName} is suspended.`)
  if (!isTrue(connection.status?.conditions, conditionTypes.Ready)) {
    return wait('ConnectionNotReady', `The ScmConnection ${connectionName} is not ready; its status says why.`)
  }
  if (repository === undefined) {
    // Applied together with its connection, a run must not end because nothing has been discovered yet.
    return connection.status?.lastDiscoveryTime === undefined
      ? wait('ConnectionNotReady', `The ScmConnection ${connectionName} has not discovered its repositories yet.`)
      : refuse('RepositoryNotFound', repositoryNotFound(run, connectionName))
  }
  if (managedScan.spec.suspend) return wait('Waiting', `The ManagedScan ${scanName} is suspended.`)
  if (repository.spec.suspend) return wait('Waiting', `The ScmRepository ${repository.metadata.name} is suspended.`)
  if (snapshot.namespaceFault !== undefined) return wait('NamespaceNotIsolated', snapshot.namespaceFault)
  if (snapshot.admitted) return [{ type: 'dispatch' }]
  const candidate: Candidate = {
    key: snapshot.key,
    managedScan: `${run.metadata.namespace}/${scanName}`,
    connection: `${run.metadata.namespace}/${connectionName}`,
    reason: run.spec.reason,
    createdAt: run.metadata.creationTimestamp,
  }
  return [...waitingForTurn(run), { type: 'requestAdmission', candidate }]
}

/** What kept the run from asking for its turn is over, and its status must not go on saying otherwise. */
function waitingForTurn(run: ScanRun): Action[] {
  const ready = findCondition(run.status?.conditions, conditionTypes.Ready)
  const waits = ready === undefined || ready.reason === 'CodeHostBusy' || ready.message === turnMessage
  return waits ? [] : [{ type: 'writeWaiting', reason: 'Waiting', message: turnMessage }]
}

function whileRunning(snapshot: Snapshot, startTime: string, job: Job, now: Date): Action[] {
  const { managedScan, connection, pod } = snapshot
  const actions: Action[] = [{ type: 'withdraw' }]
  if (!snapshot.credentialReleased && hasCloneEnded(pod)) actions.push({ type: 'releaseCredential', job })

  const fail = (reason: ScanRunReason, message: string): Action[] => [...actions, { type: 'fail', reason, message }]
  if (unlessDeleted(managedScan) === undefined)
    return fail('Cancelled', 'The ManagedScan was deleted while the scan ran.')
  if (unlessDeleted(connection) === undefined)
    return fail('Cancelled', 'The ScmConnection was deleted while the scan ran.')
  if (connection?.spec.suspend) return fail('Cancelled', 'The ScmConnection was suspended while the scan ran.')

  const attempt = classify(job, pod)
  const sinceStart = now.getTime() - Date.parse(startTime)
  switch (attempt.state) {
    case 'Failed':
      return fail(attempt.failure.reason, attempt.failure.message)
    case 'Starting': {
      // Without a pod its end may be just ahead: the Job says why as soon as the last container is gone.
      const limit = pod === undefined ? startTimeoutMs : startLimitMs(managedScan)
      if (sinceStart < limit) return [...actions, { type: 'requeue', afterMs: limit - sinceStart }]
      if (pod === undefined) return fail('PodRefused', 'The cluster made no pod for the Job; its events say why.')
      return fail('PodNotStarted', `The pod did not start: ${attempt.hindrance ?? 'its containers were not created'}`)
    }
    case 'Ended': {
      const sinceEnd = now.getTime() - podEnd(snapshot, now)
      if (sinceEnd < resultTimeoutMs) return [...actions, { type: 'requeue', afterMs: resultTimeoutMs - sinceEnd }]
      return fail('NoResult', 'The pod ended well, but no result of it was accepted.')
    }
    case 'Running':
      return actions
  }
}

/** Before the Job's own deadline, which takes the pod away and with it what kept it from starting. */
function startLimitMs(managedScan: Snapshot['managedScan']): number {
  const timeout = managedScan?.spec.limits.timeout
  return timeout === undefined ? startTimeoutMs : Math.min(startTimeoutMs, durationSeconds(timeout) * 900)
}

function podEnd({ pod }: Snapshot, now: Date): number {
  const ends = pod?.status?.containerStatuses?.map(({ state }) => Date.parse(state?.terminated?.finishedAt ?? ''))
  const known = ends?.filter((end) => Number.isFinite(end)) ?? []
  return known.length === 0 ? now.getTime() : Math.max(...known)
}

function repositoryNotFound(run: ScanRun, connection: string): string {
  const { name, fullName } = run.spec.repository
  return fullName === undefined
    ? `There is no ScmRepository ${name} in this namespace.`
    : `The ScmConnection ${connection} has not discovered ${fullName}. kubectl get scmrepo lists what it has.`
}
