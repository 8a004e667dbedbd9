/** Whether a ScanRun has ended, and how. Pure; controller and gateway read it the same way. */
import { conditionTypes } from '../api/conditions.ts'
import type { ScanRun } from '../api/kinds.ts'
import { isTrue } from '../kube/conditions.ts'

export function isComplete(run: ScanRun): boolean {
  return isTrue(run.status?.conditions, conditionTypes.Complete)
}

export function isFailed(run: ScanRun): boolean {
  return isTrue(run.status?.conditions, conditionTypes.Failed)
}

/** Complete or Failed: what is written then is never changed. */
export function hasEnded(run: ScanRun): boolean {
  return isComplete(run) || isFailed(run)
}
