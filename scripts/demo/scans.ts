/** One job: tell line by line what becomes of the connection and its scans until all have ended. */
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { annotations } from '../../operator/api/names.ts'
import { type Access, kubectl, kubectlJson } from './kubectl.ts'
import type { Progress } from './progress.ts'
import { namespaces } from './settings.ts'
import { plain } from './tables.ts'

const condition = z.object({ type: z.string(), status: z.string(), reason: z.string(), message: z.string() })
const counts = z.object({ total: z.number().default(0) })
const object = z.object({
  kind: z.string(),
  metadata: z.object({
    name: z.string(),
    generation: z.number().optional(),
    creationTimestamp: z.string(),
    annotations: z.record(z.string(), z.string()).default({}),
  }),
  status: z
    .object({
      observedGeneration: z.number().optional(),
      lastHandledRequest: z.string().optional(),
      repository: z.string().optional(),
      repositories: z
        .union([
          z.number(),
          z.object({
            selected: z.number().default(0),
            running: z.number().default(0),
            waiting: z.number().default(0),
            scanned: z.number().default(0),
            failed: z.number().default(0),
          }),
        ])
        .optional(),
      result: z.object({ verdict: z.string().optional(), findings: counts.optional() }).optional(),
      conditions: z.array(condition).default([]),
    })
    .default({ conditions: [] }),
})
const listSchema = z.object({ items: z.array(object) })
type Seen = z.infer<typeof object>

export interface Ended {
  readonly repositories: number
  readonly completed: number
  readonly failed: number
}

const { requestedAt } = annotations
const pollMs = 1_000
/** Many times what the samples need; a cluster that pulls its images or a large organization takes longer than a demo. */
const patienceMs = 20 * 60_000

/**
 * @param repositories how many the code host has at least
 * @throws a sentence when the connection cannot work, or nothing ends
 */
export async function watchScans(access: Access, progress: Progress, repositories: number): Promise<Ended> {
  const told = new Map<string, string>()
  const end = Date.now() + patienceMs
  while (Date.now() < end) {
    const items = await look(access)
    for (const item of items) tell(item, told, progress)
    const ended = judge(items, repositories)
    if (ended) return ended
    await sleep(pollMs)
  }
  throw new Error(`The scans did not end within ${patienceMs / 60_000} minutes; their status says why.`)
}

function tell(item: Seen, told: Map<string, string>, progress: Progress): void {
  const line = lineOf(item)
  const key = `${item.kind}/${item.metadata.name}`
  if (line === undefined || told.get(key) === line) return
  told.set(key, line)
  progress.note(plain(line))
}

/** The condition that says it best: Complete or Failed of a scan that ended, Ready otherwise. */
function stateOf({ status }: Seen): z.infer<typeof condition> | undefined {
  return status.conditions.find(({ type }) => type === 'Ready')
}

function lineOf(item: Seen): string | undefined {
  const state = stateOf(item)
  if (!state) return undefined
  if (item.kind === 'ScmConnection') return `connection ${item.metadata.name}: ${state.reason}. ${state.message}`
  if (item.kind !== 'ScanRun') return undefined
  const name = item.status.repository
  if (name === undefined) return undefined // its status is still to come
  const words = isDone(item, 'Complete') || isDone(item, 'Failed') ? state.message : ''
  return `${name}: ${state.reason}${words === '' ? '' : `. ${words}`}`
}

function isDone({ status }: Seen, type: 'Complete' | 'Failed'): boolean {
  return status.conditions.some((one) => one.type === type && one.status === 'True')
}

/** The newest run of each repository. */
function latestRuns(items: readonly Seen[]): readonly Seen[] {
  const runs = items.filter(({ kind }) => kind === 'ScanRun')
  const age = ({ metadata }: Seen) => metadata.creationTimestamp
  const byRepository = Map.groupBy(runs, ({ status, metadata }) => status.repository ?? metadata.name)
  return [...byRepository.values()].flatMap((own) => own.toSorted((a, b) => age(a).localeCompare(age(b))).slice(-1))
}

/** Asks for what an earlier demo left open: repositories that the code host has by now, and scans that failed. */
export async function askAgain(access: Access, repositories: number): Promise<void> {
  const items = await look(access)
  const ask = async (kind: string) => {
    const item = items.find((one) => one.kind === kind)
    if (!item) return
    const request = `${requestedAt}=${new Date().toISOString()}`
    await kubectl(access, ['-n', namespaces.team, 'annotate', kind, item.metadata.name, request, '--overwrite'])
  }
  const discovered = items.find(({ kind }) => kind === 'ScmConnection')?.status.repositories
  if (typeof discovered === 'number' && discovered < repositories) await ask('ScmConnection')
  if (latestRuns(items).some((run) => isDone(run, 'Failed'))) await ask('ManagedScan')
}

async function look(access: Access): Promise<readonly Seen[]> {
  const query = ['get', 'scmconnections,managedscans,scanruns', '-n', namespaces.team]
  return listSchema.parse(await kubectlJson(access, query)).items
}

function judge(items: readonly Seen[], atLeast: number): Ended | undefined {
  for (const item of items) {
    if (item.kind !== 'ScmConnection') continue
    const stalled = item.status.conditions.find(({ type, status }) => type === 'Stalled' && status === 'True')
    if (stalled && item.status.observedGeneration === item.metadata.generation) {
      throw new Error(`The connection cannot work: ${plain(stalled.message)} (${stalled.reason})`)
    }
  }
  const managed = items.find(({ kind }) => kind === 'ManagedScan')
  const repositories = managed?.status.repositories
  if (!managed || typeof repositories !== 'object' || repositories.selected < atLeast) return undefined
  if (managed.status.observedGeneration !== managed.metadata.generation) return undefined
  if (managed.status.lastHandledRequest !== managed.metadata.annotations[requestedAt]) return undefined
  const latest = latestRuns(items)
  const completed = latest.filter((run) => isDone(run, 'Complete')).length
  const failed = latest.filter((run) => isDone(run, 'Failed')).length
  if (completed + failed < repositories.selected) return undefined
  // The ManagedScan's own status tells it a moment later than its runs; it is shown in the end, so it has to be current.
  const { running, waiting, scanned } = repositories
  if (running + waiting > 0 || scanned < completed || repositories.failed !== failed) return undefined
  return { repositories: repositories.selected, completed, failed }
}
