/**
 * Who may run next. `admit` is the pure rule: priority, then age, under the caps of the ManagedScan, the connection and the
 * whole operator. The gate remembers who asks and who was admitted but has no Job yet; everything else it reads from the
 * cache of Jobs, so that a restart loses nothing and a cap is never passed.
 */
import type { ScanRun } from '../../api/kinds.ts'

export interface Candidate {
  readonly key: string
  readonly managedScan: string
  readonly connection: string
  readonly reason: ScanRun['spec']['reason']
  readonly createdAt: string
}

/** Somebody who holds a place: a run with a Job, or one that was admitted. */
export type Holder = Pick<Candidate, 'key' | 'managedScan' | 'connection'>

export interface Caps {
  /** Infinity when there is none. */
  readonly overall: number
  readonly managedScan: (key: string) => number
  readonly connection: (key: string) => number
}

/** Developers wait for pull requests and people for what they asked for; the rest is not urgent. */
const order: Readonly<Record<Candidate['reason'], number>> = {
  PullRequest: 0,
  Manual: 1,
  Requested: 1,
  Initial: 2,
  Scheduled: 3,
}

/** Those of `waiting` that may start now, most urgent first. */
export function admit(waiting: Iterable<Candidate>, holders: Iterable<Holder>, caps: Caps): Candidate[] {
  const taken = { overall: 0, managedScan: new Map<string, number>(), connection: new Map<string, number>() }
  const take = ({ managedScan, connection }: Holder): void => {
    taken.overall++
    taken.managedScan.set(managedScan, (taken.managedScan.get(managedScan) ?? 0) + 1)
    taken.connection.set(connection, (taken.connection.get(connection) ?? 0) + 1)
  }
  for (const holder of holders) take(holder)

  const admitted: Candidate[] = []
  for (const candidate of [...waiting].sort(byUrgency)) {
    if (taken.overall >= caps.overall) break
    if ((taken.managedScan.get(candidate.managedScan) ?? 0) >= caps.managedScan(candidate.managedScan)) continue
    if ((taken.connection.get(candidate.connection) ?? 0) >= caps.connection(candidate.connection)) continue
    take(candidate)
    admitted.push(candidate)
  }
  return admitted
}

export function byUrgency(a: Candidate, b: Candidate): number {
  return order[a.reason] - order[b.reason] || compare(a.createdAt, b.createdAt) || compare(a.key, b.key)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

export interface Gate {
  request(candidate: Candidate): void
  /** The run does not want to start any more, or holds a Job now, which counts by itself. */
  withdraw(key: string): void
  isAdmitted(key: string): boolean
  /** Look again soon: a place may have become free. */
  wake(): void
  readonly waiting: number
}

export interface GateOptions {
  readonly caps: Caps
  /** Runs that have a Job, from the cache. */
  readonly jobHolders: () => Iterable<Holder>
  readonly onAdmitted: (key: string) => void
}

export function createGate({ caps, jobHolders, onAdmitted }: GateOptions): Gate {
  const waiting = new Map<string, Candidate>()
  const admitted = new Map<string, Candidate>()
  let planned = false

  function wake(): void {
    if (planned || waiting.size === 0) return
    planned = true
    // Once for all requests of this turn: sorting thousands of waiting runs for each of them would be quadratic.
    setImmediate(pump)
  }

  function pump(): void {
    planned = false
    for (const candidate of admit(waiting.values(), holders(), caps)) {
      waiting.delete(candidate.key)
      admitted.set(candidate.key, candidate)
      onAdmitted(candidate.key)
    }
  }

  function* holders(): Generator<Holder> {
    for (const holder of jobHolders()) if (!admitted.has(holder.key)) yield holder
    yield* admitted.values()
  }

  return {
    request(candidate) {
      if (admitted.has(candidate.key)) return
      waiting.set(candidate.key, candidate)
      wake()
    },
    withdraw(key) {
      waiting.delete(key)
      if (admitted.delete(key)) wake()
    },
    isAdmitted: (key) => admitted.has(key),
    wake,
    get waiting() {
      return waiting.size
    },
  }
}
