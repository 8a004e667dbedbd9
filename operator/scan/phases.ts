/** How long each phase of a completed run took, in seconds, from the times in its status. Pure; for the metric. */
import type { ScanRun } from '../api/kinds.ts'

export type Phase = 'waiting' | 'starting' | 'clone' | 'scan'

/** Phases whose both ends are known. Clocks of nodes differ a little, so none is shorter than nothing. */
export function phaseSeconds({ metadata, status = {} }: ScanRun): { phase: Phase; seconds: number }[] {
  const { startTime, completionTime, evidence = {} } = status
  const ends: [Phase, string | undefined, string | undefined][] = [
    ['waiting', metadata.creationTimestamp, startTime],
    ['starting', startTime, evidence.cloneStartTime],
    ['clone', evidence.cloneStartTime, evidence.cloneEndTime],
    ['scan', evidence.cloneEndTime, completionTime],
  ]
  return ends.flatMap(([phase, from, to]) =>
    from === undefined || to === undefined
      ? []
      : [{ phase, seconds: Math.max(0, (Date.parse(to) - Date.parse(from)) / 1000) }],
  )
}
