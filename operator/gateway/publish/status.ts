/** The status that tells the outcome of an attempt, as the gateway applies it. Pure; built from stored facts alone. */
import { conditionTypes, type ScanRunReason } from '../../api/conditions.ts'
import type { Condition, ScanRun } from '../../api/kinds.ts'
import { apiVersion } from '../../api/names.ts'
import { findCondition, setCondition } from '../../kube/conditions.ts'
import { describeCounts } from '../../report/counts.ts'
import type { StoredScan } from '../store/index.ts'
import type { AcceptedSummary } from '../store/summary.ts'

/**
 * An apply configuration for the status of the run. It names uid and resourceVersion, so that it reaches neither a
 * namesake nor a run that somebody else ended meanwhile.
 */
export function statusFor(scan: StoredScan, run: ScanRun, now: Date): object {
  const { name, namespace, uid, resourceVersion } = run.metadata
  const outcome = scan.summary.outcome === 'Accepted' ? accepted(scan.summary) : {}
  return {
    apiVersion,
    kind: 'ScanRun',
    metadata: { name, namespace, uid, resourceVersion },
    status: { ...outcome, completionTime: wholeSeconds(scan.decidedAt), conditions: conditionsFor(scan, run, now) },
  }
}

function accepted({ verdict, counts, engines, evidence }: AcceptedSummary): object {
  return {
    result: {
      verdict,
      findings: counts,
      suppressed: engines.reduce((sum, engine) => sum + engine.suppressed, 0),
      engines: engines.map(({ name, version, product, milliseconds, rulesDigest, notice }) => ({
        name,
        version,
        product,
        milliseconds: Math.round(milliseconds),
        rulesDigest,
        ...(notice === undefined ? {} : { notice }),
      })),
    },
    evidence: {
      ...(evidence.fenceProvenAt === undefined ? {} : { fenceProvenTime: wholeSeconds(evidence.fenceProvenAt) }),
      cloneStartTime: wholeSeconds(evidence.cloneStartedAt),
      cloneEndTime: wholeSeconds(evidence.cloneEndedAt),
      files: evidence.files,
      bytes: evidence.bytes,
    },
  }
}

/** Only the conditions that the gateway owns; those of others stay theirs. */
function conditionsFor({ summary }: StoredScan, run: ScanRun, now: Date): Condition[] {
  const observedGeneration = run.metadata.generation
  const { Ready, Complete, Failed, Stalled } = conditionTypes
  const told = (type: string, status: 'True' | 'False', reason: ScanRunReason, message: string) => {
    const before = findCondition(run.status?.conditions, type)
    return setCondition(before && [before], { type, status, reason, message, observedGeneration }, now)
  }
  if (summary.outcome === 'Accepted') {
    const message = describeCounts(summary.counts)
    return [...told(Ready, 'True', 'Succeeded', message), ...told(Complete, 'True', 'Succeeded', message)]
  }
  const reason: ScanRunReason = 'ResultInvalid'
  return [
    ...told(Ready, 'False', reason, summary.message),
    ...told(Failed, 'True', reason, summary.message),
    ...told(Stalled, 'True', reason, summary.message),
  ]
}

/** The form of metav1.Time. */
function wholeSeconds(time: string): string {
  return time.replace(/\.\d+(?=Z|[+-])/, '')
}
