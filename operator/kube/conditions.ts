/**
 * Conditions as the API conventions and kstatus want them. Pure. Invariant: one entry for each type, and
 * lastTransitionTime changes only with status.
 */
import { conditionTypes } from '../api/conditions.ts'
import type { Condition } from '../api/kinds.ts'

export interface NewCondition {
  readonly type: string
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason: string
  readonly message: string
  readonly observedGeneration?: number | undefined
}

const longestMessage = 2048

/** The list with this condition in place; the others and the order stay as they are. */
export function setCondition(existing: readonly Condition[] | undefined, wanted: NewCondition, now: Date): Condition[] {
  const conditions = existing ?? []
  const index = conditions.findIndex((condition) => condition.type === wanted.type)
  const before = conditions[index]
  const { observedGeneration, ...rest } = wanted
  const condition: Condition = {
    ...rest,
    message: bounded(wanted.message),
    ...(observedGeneration !== undefined && { observedGeneration }),
    lastTransitionTime:
      before !== undefined && before.status === wanted.status ? before.lastTransitionTime : timestamp(now),
  }
  return index === -1 ? [...conditions, condition] : conditions.with(index, condition)
}

/** The list without conditions of these types. */
export function removeCondition(existing: readonly Condition[] | undefined, ...types: string[]): Condition[] {
  return (existing ?? []).filter((condition) => !types.includes(condition.type))
}

export function findCondition(existing: readonly Condition[] | undefined, type: string): Condition | undefined {
  return existing?.find((condition) => condition.type === type)
}

export function isTrue(existing: readonly Condition[] | undefined, type: string): boolean {
  return findCondition(existing, type)?.status === 'True'
}

export interface Readiness {
  readonly ready: 'True' | 'False' | 'Unknown'
  readonly reason: string
  readonly message: string
  readonly observedGeneration: number | undefined
  /** Beside Ready: the controller still works towards the spec, or nothing will change until a person acts. */
  readonly progress?: 'Reconciling' | 'Stalled' | undefined
}

/** Ready with exactly the one of Reconciling and Stalled that holds; the other is taken away. */
export function setReadiness(existing: readonly Condition[] | undefined, wanted: Readiness, now: Date): Condition[] {
  const { ready, reason, message, observedGeneration, progress } = wanted
  const others = [conditionTypes.Reconciling, conditionTypes.Stalled].filter((type) => type !== progress)
  const kept = removeCondition(existing, ...others)
  const common = { reason, message, observedGeneration }
  const withReady = setCondition(kept, { type: conditionTypes.Ready, status: ready, ...common }, now)
  return progress === undefined
    ? withReady
    : setCondition(withReady, { type: progress, status: 'True', ...common }, now)
}

/** Whether writing `wanted` over `existing` would change anything. */
export function sameConditions(
  existing: readonly Condition[] | undefined,
  wanted: readonly Condition[] | undefined,
): boolean {
  const a = existing ?? []
  const b = wanted ?? []
  return (
    a.length === b.length &&
    b.every((condition) => {
      const other = findCondition(a, condition.type)
      return (
        other !== undefined &&
        other.status === condition.status &&
        other.reason === condition.reason &&
        other.message === condition.message &&
        other.observedGeneration === condition.observedGeneration &&
        other.lastTransitionTime === condition.lastTransitionTime
      )
    })
  )
}

/** RFC 3339 in whole seconds, the form of metav1.Time. */
export function timestamp(time: Date): string {
  return time.toISOString().replace(/\.\d+Z$/, 'Z')
}

/** RFC 3339 with six digits after the second, the only form that metav1.MicroTime reads. */
export function microTimestamp(time: Date): string {
  return time.toISOString().replace('Z', '000Z')
}

function bounded(message: string): string {
  return message.length > longestMessage ? `${message.slice(0, longestMessage - 1)}…` : message
}
