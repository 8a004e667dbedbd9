/**
 * What became of an attempt, from what the kubelet and the Job controller report. Pure. The reason that a container gave in
 * its termination message wins over the exit code, and the container that failed first wins over those that followed.
 */
import type { ScanRunReason } from '../api/conditions.ts'
import type { ContainerStatus, Job, Pod } from '../kube/objects.ts'
import { type ExitReason, exitCodes, terminationSchema } from './contract/exit.ts'

/** How long a container may take to end after it was told to. The deletionTimestamp of a pod lies that far ahead. */
export const terminationGraceSeconds = 1

export interface Failure {
  readonly reason: ScanRunReason
  readonly message: string
}

/** How an attempt stands. `Ended` means that the pod is done and said nothing bad: the result must have been accepted. */
export type AttemptState =
  | { readonly state: 'Starting'; readonly hindrance?: string }
  | { readonly state: 'Running' }
  | { readonly state: 'Ended' }
  | { readonly state: 'Failed'; readonly failure: Failure }

export function classify(job: Job, pod: Pod | undefined): AttemptState {
  const jobFailed = job.status?.conditions?.find(({ type, status }) => type === 'Failed' && status === 'True')
  if (jobFailed?.reason === 'DeadlineExceeded') {
    return failed('DeadlineExceeded', 'The attempt took longer than limits.timeout allows.')
  }
  if (pod !== undefined) {
    const failure = podFailure(pod)
    if (failure !== undefined) return failed(failure.reason, failure.message)
    if (pod.status?.phase === 'Succeeded') return { state: 'Ended' }
  }
  if (jobFailed !== undefined) {
    return pod === undefined || isBeingDeleted(pod)
      ? failed('JobLost', 'The pod was deleted before a result came.')
      : failed('NoResult', jobFailed.message ?? 'The Job failed without saying why.')
  }
  if (pod === undefined) return { state: 'Starting' }
  // By a person or by the Job for its deadline: the Job says which as soon as the pod has ended.
  if (isBeingDeleted(pod)) return { state: 'Running' }
  if (pod.status?.phase === 'Running') return { state: 'Running' }
  const hindrance = startHindrance(pod)
  return { state: 'Starting', ...(hindrance !== undefined && { hindrance }) }
}

/** Whether the clone container ended, whatever its outcome; while it has not, it may still need its credential. */
export function hasCloneEnded(pod: Pod | undefined): boolean {
  const clone = pod?.status?.containerStatuses?.find(({ name }) => name === 'clone')
  return clone?.state?.terminated !== undefined
}

function podFailure(pod: Pod): Failure | undefined {
  if (pod.status?.reason === 'Evicted') {
    return { reason: 'Evicted', message: `The node evicted the pod: ${pod.status.message ?? 'no reason given'}` }
  }
  const statuses = (pod.status?.containerStatuses ?? []).filter((status) => endedByItself(status, pod)).sort(byName)
  const failures = statuses.map(containerFailure).filter((failure) => failure !== undefined)
  // `scan` only says that nothing was handed over when `clone` failed; the cause is what counts.
  const cause = failures.find((failure) => failure.reason !== 'NothingHandedOver') ?? failures[0]
  if (cause !== undefined) return cause
  if (pod.status?.phase !== 'Failed' || isBeingDeleted(pod)) return undefined
  return {
    reason: 'NoResult',
    message: `The pod failed: ${pod.status.message ?? pod.status.reason ?? 'no reason given'}`,
  }
}

/** The programs of a pod that is being deleted are told to end and say so; that is no cause of anything. */
function endedByItself({ state }: ContainerStatus, { metadata }: Pod): boolean {
  const { reason, finishedAt } = state?.terminated ?? {}
  if (metadata.deletionTimestamp === undefined || reason === 'OOMKilled') return true
  const deletedAt = Date.parse(metadata.deletionTimestamp) - terminationGraceSeconds * 1000
  return finishedAt !== undefined && Date.parse(finishedAt) < deletedAt
}

function isBeingDeleted({ metadata }: Pod): boolean {
  return metadata.deletionTimestamp !== undefined
}

function containerFailure(status: ContainerStatus): Failure | undefined {
  const terminated = status.state?.terminated
  if (terminated === undefined || terminated.exitCode === 0) return undefined
  if (terminated.reason === 'OOMKilled') {
    return { reason: 'OutOfMemory', message: `The container ${status.name} passed its memory limit.` }
  }
  const said = parseTermination(terminated.message)
  if (said !== undefined) return said
  const known = reasonOf(terminated.exitCode)
  if (known !== undefined)
    return { reason: known, message: `The container ${status.name} ended with code ${terminated.exitCode}.` }
  // Killed from outside without a word: most likely the kernel, since the runtime does not always see which process it took.
  if (terminated.exitCode === 137) return { reason: 'OutOfMemory', message: `The container ${status.name} was killed.` }
  return {
    reason: status.name === 'clone' ? 'CloneFailed' : 'InternalError',
    message: `The container ${status.name} ended with code ${terminated.exitCode}${terminated.reason ? ` (${terminated.reason})` : ''}.`,
  }
}

function parseTermination(text: string | undefined): Failure | undefined {
  if (!text) return undefined
  try {
    return terminationSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

function reasonOf(code: number): ExitReason | undefined {
  return (Object.keys(exitCodes) as ExitReason[]).find((reason) => exitCodes[reason] === code)
}

/** Why a pod that was not started yet may never start. */
function startHindrance(pod: Pod): string | undefined {
  const unscheduled = pod.status?.conditions?.find(({ type, status }) => type === 'PodScheduled' && status === 'False')
  if (unscheduled !== undefined) return unscheduled.message ?? unscheduled.reason
  for (const { state } of pod.status?.containerStatuses ?? []) {
    const waiting = state?.waiting
    if (waiting?.reason !== undefined && waiting.reason !== 'ContainerCreating') {
      return `${waiting.reason}${waiting.message ? `: ${waiting.message}` : ''}`
    }
  }
  return undefined
}

/** `clone` before `scan`: what happened first comes first. */
function byName(a: ContainerStatus, b: ContainerStatus): number {
  return a.name < b.name ? -1 : 1
}

function failed(reason: ScanRunReason, message: string): AttemptState {
  return { state: 'Failed', failure: { reason, message: plain(message) } }
}

/** Much of a message was written next to hostile code: nothing in it may steer a terminal or turn text around. */
function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim()
}
