/** Which ScanRuns a ManagedScan wants made or forgotten, and what its status says. Pure. */
import { createHash } from 'node:crypto'
import { conditionTypes, type ManagedScanReason } from '../../api/conditions.ts'
import type { ManagedScan, ScanRun, ScmConnection, ScmRepository } from '../../api/kinds.ts'
import { annotations } from '../../api/names.ts'
import { findCondition, isTrue, setReadiness } from '../../kube/conditions.ts'
import { hasEnded, isComplete, isFailed } from '../../scan/outcome.ts'
import { selector } from '../../scm/repositories.ts'
import { addCounts, type Counts, noFindings } from './counts.ts'

export interface Snapshot {
  readonly managedScan: ManagedScan
  readonly connection: ScmConnection | undefined
  /** All repositories of the connection. */
  readonly repositories: readonly ScmRepository[]
  /** All runs of this ManagedScan. */
  readonly runs: readonly ScanRun[]
}

export type Action =
  | {
      readonly type: 'createRun'
      readonly name: string
      readonly repository: ScmRepository
      readonly reason: 'Initial' | 'Requested'
    }
  | { readonly type: 'deleteRun'; readonly run: ScanRun }
  /** The annotation of one repository has been handled. */
  | { readonly type: 'acknowledge'; readonly repository: ScmRepository; readonly request: string }
  | { readonly type: 'writeStatus'; readonly status: NonNullable<ManagedScan['status']> }

/** Runs of one ManagedScan that may wait at once. More are made as these end, so that etcd never holds a fleet of them. */
export const mostWaiting = 1000

export function decide(snapshot: Snapshot, now: Date): readonly Action[] {
  const { managedScan, connection } = snapshot
  const selected = select(snapshot)
  const runsByRepository = groupByRepository(snapshot.runs)
  const active =
    connection !== undefined && !managedScan.spec.suspend && managedScan.metadata.deletionTimestamp === undefined
  const wanted = active ? wantedRuns(managedScan, selected, runsByRepository) : { creates: [], acknowledgements: [] }
  const unfinished = snapshot.runs.filter((run) => !hasEnded(run)).length
  const room = Math.max(0, mostWaiting - unfinished)
  const creates = wanted.creates.slice(0, room)
  const allCreated = creates.length === wanted.creates.length
  return [
    ...creates,
    ...(allCreated ? wanted.acknowledgements : []),
    ...surplusRuns(managedScan, runsByRepository).map((run): Action => ({ type: 'deleteRun', run })),
    {
      type: 'writeStatus',
      status: statusOf(snapshot, selected, runsByRepository, active && allCreated, creates.length, now),
    },
  ]
}

/** Repositories that the selection matches and that the code host still lists. */
export function select({ managedScan, repositories }: Pick<Snapshot, 'managedScan' | 'repositories'>): ScmRepository[] {
  const { include, exclude, topics, matchLabels } = managedScan.spec.repositories
  // Discovery has decided about archived repositories and forks already.
  const matches = selector({ include, exclude, topics, archived: 'Include', forks: 'Include' })
  const wantedLabels = Object.entries(matchLabels ?? {})
  return repositories.filter(({ metadata, spec, status }) => {
    if (status?.missingSince !== undefined || metadata.deletionTimestamp !== undefined) return false
    if (!wantedLabels.every(([name, value]) => metadata.labels?.[name] === value)) return false
    return matches({
      fullName: spec.fullName,
      topics: spec.topics ?? [],
      archived: spec.archived ?? false,
      fork: spec.fork ?? false,
    })
  })
}

/** Whether the difference can wait: scans went on before and still do, and nothing that somebody asked for was handled. */
export function isOnlyProgress(before: ManagedScan['status'], after: ManagedScan['status']): boolean {
  const isScanning = (status: ManagedScan['status']) =>
    findCondition(status?.conditions, conditionTypes.Ready)?.reason === ('Scanning' satisfies ManagedScanReason)
  return (
    isScanning(before) &&
    isScanning(after) &&
    before?.lastHandledRequest === after?.lastHandledRequest &&
    before?.observedGeneration === after?.observedGeneration
  )
}

/** The name makes a run exactly-once: the same reason for the same repository is the same object. */
export function runName(managedScan: ManagedScan, repository: ScmRepository, reason: string, request = ''): string {
  const identity = [managedScan.metadata.uid, repository.metadata.uid, reason, request].join('/')
  const digest = createHash('sha256').update(identity).digest('hex').slice(0, 12)
  const readable = repository.spec.fullName
    .toLowerCase()
    .replace(/^.*\//, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 60)
  return `${readable || 'repository'}-${reason.toLowerCase()}-${digest}`
}

interface Wanted {
  readonly creates: Extract<Action, { type: 'createRun' }>[]
  readonly acknowledgements: Action[]
}

function wantedRuns(
  managedScan: ManagedScan,
  selected: readonly ScmRepository[],
  runs: ReadonlyMap<string, readonly ScanRun[]>,
): Wanted {
  const creates: Extract<Action, { type: 'createRun' }>[] = []
  const acknowledgements: Action[] = []
  const requestedForAll = pendingRequest(managedScan)
  for (const repository of selected) {
    const own = runs.get(repository.metadata.name) ?? []
    const create = (reason: 'Initial' | 'Requested', request?: string): void => {
      const name = runName(managedScan, repository, reason, request)
      if (!own.some((run) => run.metadata.name === name)) creates.push({ type: 'createRun', name, repository, reason })
    }
    if (repository.spec.suspend) continue
    const requested = pendingRequest(repository)
    if (requested !== undefined) {
      create('Requested', requested)
      acknowledgements.push({ type: 'acknowledge', repository, request: requested })
    }
    if (requestedForAll !== undefined) create('Requested', requestedForAll)
    else if (managedScan.spec.schedule.initial && own.length === 0 && requested === undefined) create('Initial')
  }
  return { creates, acknowledgements }
}

/** The value of the annotation that asks for a scan now, if it was not handled yet. */
function pendingRequest({ metadata, status }: ManagedScan | ScmRepository): string | undefined {
  const asked = metadata.annotations?.[annotations.requestedAt]
  return asked === status?.lastHandledRequest ? undefined : asked
}

/** Ended runs beyond the history that is to be kept, oldest first. Runs that people made count and are kept like others. */
function surplusRuns({ spec }: ManagedScan, runs: ReadonlyMap<string, readonly ScanRun[]>): ScanRun[] {
  const surplus: ScanRun[] = []
  for (const group of runs.values()) {
    const newestFirst = [...group].sort((a, b) =>
      b.metadata.creationTimestamp < a.metadata.creationTimestamp ? -1 : 1,
    )
    const tidy = newestFirst.filter(
      (run) => run.status?.startTime === undefined || run.status.evidence?.podDeletedTime !== undefined,
    )
    surplus.push(...tidy.filter((run) => isComplete(run)).slice(spec.history.completed))
    surplus.push(...tidy.filter((run) => isFailed(run)).slice(spec.history.failed))
  }
  return surplus
}

function statusOf(
  { managedScan, connection, runs }: Snapshot,
  selected: readonly ScmRepository[],
  runsByRepository: ReadonlyMap<string, readonly ScanRun[]>,
  handled: boolean,
  created: number,
  now: Date,
): NonNullable<ManagedScan['status']> {
  const before = managedScan.status ?? {}
  const running = runs.filter((run) => !hasEnded(run) && run.status?.startTime !== undefined).length
  const waiting = created + runs.filter((run) => !hasEnded(run) && run.status?.startTime === undefined).length
  const scanned = selected.filter(({ status }) => status?.lastScan !== undefined)
  const failed = selected.filter(({ metadata }) => latestFailed(runsByRepository.get(metadata.name) ?? [])).length
  const counts = { selected: selected.length, scanned: scanned.length, running, waiting, failed }
  const findings = scanned.reduce<Counts>((sum, { status }) => addCounts(sum, status?.lastScan?.findings), noFindings)
  const blocked = scanned.some(({ status }) => status?.lastScan?.verdict === 'Blocked')
  const observedGeneration = managedScan.metadata.generation ?? 1
  const asked = managedScan.metadata.annotations?.[annotations.requestedAt]
  const lastHandledRequest = handled ? asked : before.lastHandledRequest
  const readiness = readinessOf(managedScan, connection, counts, findings.total)
  return {
    observedGeneration,
    ...(lastHandledRequest !== undefined && { lastHandledRequest }),
    repositories: counts,
    ...(scanned.length > 0 && { verdict: blocked ? 'Blocked' : findings.total > 0 ? 'Findings' : 'Clean' }),
    findings,
    conditions: setReadiness(before.conditions, { ...readiness, observedGeneration }, now),
  }
}

type RepositoryCounts = Required<NonNullable<NonNullable<ManagedScan['status']>['repositories']>>

function readinessOf(
  managedScan: ManagedScan,
  connection: ScmConnection | undefined,
  counts: RepositoryCounts,
  findings: number,
) {
  const { selected, scanned, running, waiting, failed } = counts
  const state = (
    ready: 'True' | 'False' | 'Unknown',
    reason: ManagedScanReason,
    message: string,
    progress?: 'Reconciling' | 'Stalled',
  ) => ({ ready, reason, message: `${message}${scheduleNote(managedScan)}`, progress })
  const name = managedScan.spec.connectionRef.name
  if (connection === undefined) {
    return state(
      'False',
      'ConnectionNotFound',
      `There is no ScmConnection ${name} in this namespace.`,
      conditionTypes.Stalled,
    )
  }
  if (managedScan.spec.suspend) return state('False', 'Suspended', 'Suspended by spec.suspend.', conditionTypes.Stalled)
  const progress = `${scanned} of ${selected} repositories scanned, ${running} running, ${waiting} waiting`
  if (!isTrue(connection.status?.conditions, conditionTypes.Ready)) {
    return state(
      'False',
      'ConnectionNotReady',
      `The ScmConnection ${name} is not ready; its status says why.`,
      conditionTypes.Reconciling,
    )
  }
  if (running + waiting > 0) return state('Unknown', 'Scanning', `${progress}.`, conditionTypes.Reconciling)
  if (failed > 0)
    return state(
      'False',
      'ScansFailed',
      `The latest scan of ${failed} of ${selected} repositories failed.`,
      conditionTypes.Stalled,
    )
  if (selected === 0) return state('True', 'NothingSelected', 'The selection matches no discovered repository.')
  return state('True', 'Ready', `${scanned} of ${selected} repositories scanned, ${findings} findings.`)
}

/** People must see that what they declared is not acted upon. */
function scheduleNote({ spec }: ManagedScan): string {
  return spec.schedule.full === 'None' ? '' : ' schedule.full is recorded but this version does not act on it.'
}

function groupByRepository(runs: readonly ScanRun[]): Map<string, ScanRun[]> {
  const groups = new Map<string, ScanRun[]>()
  for (const run of runs) {
    const name = run.spec.repository.name ?? run.status?.repositoryName
    if (name === undefined) continue
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [run])
    else group.push(run)
  }
  return groups
}

function latestFailed(runs: readonly ScanRun[]): boolean {
  const latest = runs.reduce<ScanRun | undefined>(
    (newest, run) =>
      newest === undefined || run.metadata.creationTimestamp >= newest.metadata.creationTimestamp ? run : newest,
    undefined,
  )
  return latest !== undefined && isFailed(latest)
}
