/**
 * The status of a ScanRun as the controller applies it. Pure. Server-side apply takes away what a manager leaves out, so
 * every write names all fields that are the controller's. `result`, Complete and most of `evidence` are the gateway's.
 */
import { conditionTypes, type ScanRunReason } from '../../api/conditions.ts'
import type { Condition, Policy, ScanRun } from '../../api/kinds.ts'
import { setCondition, timestamp } from '../../kube/conditions.ts'
import type { AttemptFacts } from '../../scan/attempt.ts'

type Status = NonNullable<ScanRun['status']>

/** Times of the clone credential of one attempt, as far as this process saw them. */
export interface CredentialTimes {
  readonly removed?: Date
  readonly revoked?: Date
}

export function waitingStatus(run: ScanRun, reason: ScanRunReason, message: string, now: Date): Partial<Status> {
  return { ...own(run), conditions: [ready(run, 'Unknown', reason, message, now)] }
}

export function runningStatus(
  run: ScanRun,
  facts: AttemptFacts,
  policy: Policy,
  jobName: string,
  now: Date,
): Partial<Status> {
  return {
    observedGeneration: run.metadata.generation ?? 1,
    repository: facts.repository,
    repositoryName: facts.repositoryName,
    repositoryId: facts.repositoryId,
    ...(facts.branch !== undefined && { branch: facts.branch }),
    commit: facts.commit,
    startTime: timestamp(now),
    attempt: {
      number: facts.number,
      jobName,
      uploadTokenDigest: facts.uploadTokenDigest,
      uploadExpirationTime: facts.uploadExpirationTime,
      products: facts.products,
      ...(policy.length > 0 && { policy }),
    },
    evidence: { image: facts.image },
    conditions: [ready(run, 'Unknown', 'Running', `Scans commit ${facts.commit.slice(0, 12)}.`, now)],
  }
}

export function failedStatus(run: ScanRun, reason: ScanRunReason, message: string, now: Date): Partial<Status> {
  const base = { reason, message, observedGeneration: run.metadata.generation ?? 1 }
  const conditions = [conditionTypes.Failed, conditionTypes.Stalled].reduce<Condition[]>(
    (list, type) => setCondition(list, { ...base, type, status: 'True' }, now),
    [ready(run, 'False', reason, message, now)],
  )
  return { ...own(run), completionTime: timestamp(now), conditions }
}

/** After the pod is gone. Conditions are repeated when they are ours, as they are on a failed run. */
export function finishedStatus(run: ScanRun, credential: CredentialTimes, now: Date): Partial<Status> {
  const status = run.status ?? {}
  const failed = status.conditions?.some(({ type, status }) => type === conditionTypes.Failed && status === 'True')
  return {
    ...own(run),
    evidence: {
      ...(status.evidence?.image !== undefined && { image: status.evidence.image }),
      ...(credential.removed && { credentialRemovedTime: timestamp(credential.removed) }),
      ...(credential.revoked && { credentialRevokedTime: timestamp(credential.revoked) }),
      podDeletedTime: timestamp(now),
    },
    ...(failed && { completionTime: status.completionTime, conditions: status.conditions }),
  }
}

/** What the controller has applied so far, apart from conditions. */
function own({ metadata, status = {} }: ScanRun): Partial<Status> {
  const { repository, repositoryName, repositoryId, branch, commit, startTime, attempt, evidence } = status
  return {
    observedGeneration: metadata.generation ?? 1,
    ...(repository !== undefined && { repository }),
    ...(repositoryName !== undefined && { repositoryName }),
    ...(repositoryId !== undefined && { repositoryId }),
    ...(branch !== undefined && { branch }),
    ...(commit !== undefined && { commit }),
    ...(startTime !== undefined && { startTime }),
    ...(attempt !== undefined && { attempt }),
    ...(evidence?.image !== undefined && { evidence: { image: evidence.image } }),
  }
}

function ready(
  run: ScanRun,
  status: 'True' | 'False' | 'Unknown',
  reason: ScanRunReason,
  message: string,
  now: Date,
): Condition {
  const wanted = {
    type: conditionTypes.Ready,
    status,
    reason,
    message,
    observedGeneration: run.metadata.generation ?? 1,
  }
  const [condition] = setCondition(
    run.status?.conditions?.filter(({ type }) => type === wanted.type),
    wanted,
    now,
  )
  return condition as Condition
}
