/**
 * What to do next about one ScanRun. Pure: a snapshot and the time in, a list of small actions out.
 *
 *     created ──► waiting ──► admitted ──► dispatched ──► running ──► ended (Complete by the gateway, Failed by us)
 *                                              Job, policy, Secret        │
 *                                                                         └──► Job deleted ──► pod gone: evidence
 */
import type { ScanRunReason } from '../../api/conditions.ts'
import { conditionTypes } from '../../api/conditions.ts'
import type { ScanRun } from '../../api/kinds.ts'
import { isTrue } from '../../kube/conditions.ts'
import type { Job } from '../../kube/objects.ts'
import { type AttemptFacts, factsOf } from '../../scan/attempt.ts'
import { classify, cloneEndedAt } from '../../scan/classify.ts'
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
  /** `onlyUnchanged` makes the version that was seen a precondition. */
  | { readonly type: 'deleteJob'; readonly job: Job; readonly onlyUnchanged: boolean }
  /** The pod is gone: write the evidence, and what was found to the ScmRepository. */
  | { readonly type: 'finish' }
  | { readonly type: 'requeue'; readonly afterMs: number }

/** A pod that has not started by then never will. */
export const startTimeoutMs = 10 * 60_000
/** How long the accepted result may take to reach the cache after the pod has ended well. */
export const resultTimeoutMs = 2 * 60_000

export function decide(snapshot: Snapshot, now: Date): readonly Action[] {
  const { run, job } = snapshot
  if (run === undefined) return [{ type: 'withdraw' }, ...removal(snapshot)]
  if (hasEnded(run)) return [{ type: 'withdraw' }, ...afterEnd(snapshot, run)]
  if (job === undefined) return beforeStart(snapshot, run)

  const facts = factsOf(job)
  if (facts?.runUid !== run.metadata.uid) {
    // Left behind by a run of the same name that was deleted; ours starts when it is gone.
    return [...removal(snapshot), { type: 'requeue', afterMs: 1000 }]
  }
  // A suspended Job is a dispatch that was cut off. Nothing has run, so it starts afresh; should the cache be behind and the
  // Job run already, the precondition keeps it.
  if (job.spec.suspend === true) return removal(snapshot, true)
  return whileRunning(snapshot, run, job, facts, now)
}

export function hasEnded(run: ScanRun): boolean {
  return (
    isTrue(run.status?.conditions, conditionTypes.Complete) || isTrue(run.status?.conditions, conditionTypes.Failed)
  )
}

function removal({ job, credentialReleased }: Snapshot, onlyUnchanged = false): Action[] {
  if (job === undefined || job.metadata.deletionTimestamp !== undefined) return []
  const release: Action[] = credentialReleased ? [] : [{ type: 'releaseCredential', job }]
  return [...release, { type: 'deleteJob', job, onlyUnchanged }]
}

function afterEnd(snapshot: Snapshot, run: ScanRun): Action[] {
  const { job, pod } = snapshot
  if (job !== undefined) return removal(snapshot)
  if (pod !== undefined) return []
  const started = run.status?.startTime !== undefined
  return started && run.status?.evidence?.podDeletedTime === undefined ? [{ type: 'finish' }] : []
}

function beforeStart(snapshot: Snapshot, run: ScanRun): Action[] {
  const { managedScan, repository, connection } = snapshot
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
  if (repository === undefined) return refuse('RepositoryNotFound', repositoryNotFound(run, connectionName))
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
  return [{ type: 'requestAdmission', candidate }]
}

function whileRunning(snapshot: Snapshot, run: ScanRun, job: Job, facts: AttemptFacts, now: Date): Action[] {
  const { managedScan, connection, pod } = snapshot
  const actions: Action[] = [{ type: 'withdraw' }]
  if (run.status?.startTime === undefined) actions.push({ type: 'writeRunning', facts, job })
  if (!snapshot.credentialReleased && cloneEndedAt(pod) !== undefined) actions.push({ type: 'releaseCredential', job })

  const fail = (reason: ScanRunReason, message: string): Action[] => [...actions, { type: 'fail', reason, message }]
  if (managedScan === undefined) return fail('Cancelled', 'The ManagedScan was deleted while the scan ran.')
  if (connection === undefined) return fail('Cancelled', 'The ScmConnection was deleted while the scan ran.')
  if (connection.spec.suspend) return fail('Cancelled', 'The ScmConnection was suspended while the scan ran.')

  const attempt = classify(job, pod)
  const sinceStart = now.getTime() - Date.parse(run.status?.startTime ?? job.metadata.creationTimestamp)
  switch (attempt.state) {
    case 'Failed':
      return fail(attempt.failure.reason, attempt.failure.message)
    case 'Starting':
      if (sinceStart < startTimeoutMs) return [...actions, { type: 'requeue', afterMs: startTimeoutMs - sinceStart }]
      if (pod === undefined) return fail('PodRefused', 'The cluster made no pod for the Job; its events say why.')
      return fail('PodNotStarted', `The pod did not start: ${attempt.hindrance ?? 'its containers were not created'}`)
    case 'Ended': {
      const sinceEnd = now.getTime() - podEnd(snapshot, now)
      if (sinceEnd < resultTimeoutMs) return [...actions, { type: 'requeue', afterMs: resultTimeoutMs - sinceEnd }]
      return fail('NoResult', 'The pod ended well, but no result of it was accepted.')
    }
    case 'Running':
      return actions
  }
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
