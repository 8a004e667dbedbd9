/** What is due for one ScmConnection, and what its status says. Pure. */
import { type ConnectionReason, conditionTypes, connectionReasons } from '../../api/conditions.ts'
import type { ScmConnection } from '../../api/kinds.ts'
import { annotations, finalizers } from '../../api/names.ts'
import { isTrue, setReadiness, timestamp } from '../../kube/conditions.ts'
import { durationSeconds } from '../../scan/quantities.ts'
import type { ConnectionReport } from '../../scm/types.ts'

/** What this process knows from its last look. Lost by a restart, which then looks again. */
export interface Memory {
  readonly checkedAt?: Date
  /** Spec generation at the last check. */
  readonly checkedGeneration?: number | undefined
  readonly outcome?: Outcome
  /** Checks in a row that failed. */
  readonly failures: number
  readonly discoveredAt?: Date
  /** Spec generation at the last complete discovery. */
  readonly discoveredGeneration?: number | undefined
  readonly discovered?: number
  readonly handledRequest?: string | undefined
}

export type Outcome =
  | { readonly ok: true; readonly report: ConnectionReport }
  | {
      readonly ok: false
      readonly reason: ConnectionReason
      readonly message: string
      readonly retryAt?: Date | undefined
    }

export interface Due {
  readonly check: boolean
  readonly discovery: boolean
}

export interface ConnectionTimes {
  /** Secrets are read this often, so that a replaced value heals or breaks the connection within a minute. */
  readonly secretPollMs: number
  /** How often a connection that works is tested, and the longest wait after failures. */
  readonly checkIntervalMs: number
  /** The wait after the first failure; it doubles with each one more. */
  readonly firstRetryMs: number
}

export const standardTimes: ConnectionTimes = {
  secretPollMs: 30_000,
  checkIntervalMs: 5 * 60_000,
  firstRetryMs: 15_000,
}

const aboutSecret: ReadonlySet<ConnectionReason> = new Set(['SecretNotFound', 'SecretKeyMissing', 'SecretEmpty'])

/** `suspected`: a call of a scan was refused. Many scans may say so at once, which is still one check. */
export function due(
  connection: ScmConnection,
  memory: Memory,
  { clientChanged, suspected }: { readonly clientChanged: boolean; readonly suspected: boolean },
  now: Date,
  times: ConnectionTimes,
): Due {
  const requested = pendingRequest(connection, memory) !== undefined
  const isOld = now.getTime() - (memory.checkedAt?.getTime() ?? 0) >= times.firstRetryMs
  const check = requested || clientChanged || (suspected && isOld) || now >= nextCheck(connection, memory, times)
  const discovery = requested || now >= nextDiscovery(connection, memory)
  return { check, discovery }
}

/** The value of the annotation that asks for a look now, if it was not handled yet. */
export function pendingRequest({ metadata, status }: ScmConnection, memory: Memory): string | undefined {
  const asked = metadata.annotations?.[annotations.requestedAt]
  return asked === (memory.handledRequest ?? status?.lastHandledRequest) ? undefined : asked
}

export function nextCheck(
  { metadata }: ScmConnection,
  { checkedAt, checkedGeneration, outcome, failures }: Memory,
  { checkIntervalMs, firstRetryMs }: ConnectionTimes,
): Date {
  if (checkedAt === undefined || checkedGeneration !== metadata.generation || outcome === undefined) return new Date(0)
  if (outcome.ok) return new Date(checkedAt.getTime() + checkIntervalMs)
  const backoff = Math.min(checkIntervalMs, firstRetryMs * 2 ** Math.min(failures - 1, 10))
  const next = new Date(checkedAt.getTime() + backoff)
  return outcome.retryAt && outcome.retryAt > next ? outcome.retryAt : next
}

export function nextDiscovery({ metadata, spec, status }: ScmConnection, memory: Memory): Date {
  const after = (last: Date) => new Date(last.getTime() + durationSeconds(spec.discovery.interval) * 1000)
  if (memory.discoveredAt !== undefined)
    return memory.discoveredGeneration === metadata.generation ? after(memory.discoveredAt) : new Date(0)
  // Told by an earlier process: it counts when that one was content with this very spec.
  const told = status?.observedGeneration === metadata.generation && isTrue(status?.conditions, conditionTypes.Ready)
  return told && status?.lastDiscoveryTime ? after(new Date(status.lastDiscoveryTime)) : new Date(0)
}

/** Milliseconds until something is due again. */
export function nextLook(connection: ScmConnection, memory: Memory, now: Date, times: ConnectionTimes): number {
  const mayDiscover = memory.outcome?.ok === true && memory.outcome.report.missing.length === 0
  const next = [nextCheck(connection, memory, times), ...(mayDiscover ? [nextDiscovery(connection, memory)] : [])]
  const soonest = Math.min(...next.map((time) => time.getTime() - now.getTime()), times.secretPollMs)
  return Math.max(1000, soonest)
}

/** Whether the finalizer has to be added or taken away to fit the deletion policy. */
export function finalizerChange({ metadata, spec }: ScmConnection): 'add' | 'remove' | undefined {
  const has = metadata.finalizers?.includes(finalizers.purge) ?? false
  if (metadata.deletionTimestamp !== undefined) return undefined
  if (spec.deletionPolicy === 'Purge' && !has) return 'add'
  return spec.deletionPolicy === 'Retain' && has ? 'remove' : undefined
}

/** `credential` names Secret and key for people. */
export function statusOf(
  connection: ScmConnection,
  memory: Memory,
  credential: string,
  now: Date,
): NonNullable<ScmConnection['status']> {
  const { metadata, spec, status = {} } = connection
  const { outcome } = memory
  const observedGeneration = metadata.generation ?? 1
  const readiness = spec.suspend
    ? {
        ready: 'False' as const,
        reason: 'Suspended',
        message: 'Suspended by spec.suspend.',
        progress: conditionTypes.Stalled,
      }
    : readinessOf(outcome, memory.discovered ?? status.repositories, credential)
  const report = outcome?.ok ? outcome.report : undefined
  const repositories = memory.discovered ?? status.repositories
  const discoveredAt = memory.discoveredAt ? timestamp(memory.discoveredAt) : status.lastDiscoveryTime
  const handled = memory.handledRequest ?? status.lastHandledRequest
  return {
    observedGeneration,
    ...(handled !== undefined && { lastHandledRequest: handled }),
    ...(report
      ? {
          account: {
            name: report.account,
            kind: report.kind,
            credential,
            ...(report.expiresAt && { expirationTime: timestamp(report.expiresAt) }),
          },
        }
      : status.account && { account: status.account }),
    ...(repositories !== undefined && { repositories }),
    ...(discoveredAt !== undefined && { lastDiscoveryTime: discoveredAt }),
    conditions: setReadiness(status.conditions, { ...readiness, observedGeneration }, now),
  }
}

function readinessOf(outcome: Outcome | undefined, repositories: number | undefined, credential: string) {
  if (outcome === undefined) {
    return {
      ready: 'Unknown' as const,
      reason: 'Checking',
      message: 'The first check has not ended yet.',
      progress: conditionTypes.Reconciling,
    }
  }
  if (!outcome.ok) {
    const { stalled } = connectionReasons[outcome.reason]
    const progress = stalled ? conditionTypes.Stalled : conditionTypes.Reconciling
    // Which credential acted; where the Secret itself is at fault, the message names it already.
    const acted = aboutSecret.has(outcome.reason) ? '' : ` (${credential})`
    return { ready: 'False' as const, reason: outcome.reason, message: `${outcome.message}${acted}`, progress }
  }
  const { account, missing, warnings } = outcome.report
  if (missing.length > 0) {
    const message = `${account} lacks ${missing.join(', ')}, which the enabled features need. (${credential})`
    return { ready: 'False' as const, reason: 'PermissionMissing', message, progress: conditionTypes.Stalled }
  }
  const found = repositories === undefined ? 'discovery has not ended yet' : `${repositories} repositories`
  const message = [`Connected as ${account}; ${found}.`, ...warnings].join(' ')
  return { ready: 'True' as const, reason: 'Connected', message, progress: undefined }
}
