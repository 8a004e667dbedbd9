/**
 * One job: how fast waiting ScanRuns become running Jobs when no cap holds them, beside how fast the same API server takes
 * the same writes from a loop that does nothing else. Both in turns on the same server, so that both meet the same machine.
 */
import { statSync } from 'node:fs'
import { forEachParallel } from '../../operator/kube/parallel.ts'
import { resources } from '../../operator/kube/resources.ts'
import { readAudit } from '../support/audit.ts'
import { until } from '../support/wait.ts'
import { type Installation, namespaces } from './installation.ts'
import { createProcessorMeter, type ProcessorTimes } from './processor.ts'
import { createRawSet, deleteRawSet } from './raw.ts'
import type { Row } from './report.ts'
import { median } from './statistics.ts'
import { createTeam, type Team } from './team.ts'

const runs = 500
const rounds = 5
const connections = 16
const patience = { withinMs: 300_000, everyMs: 1_000 }
/** Given, so that what is measured is the operator and not git at the demo code host. */
const commit = '0123456789abcdef0123456789abcdef01234567'

export async function measureDispatch(
  installation: Installation,
  note: (line: string) => void,
): Promise<readonly Row[]> {
  const team = await createTeam(installation, ['dispatch'])
  const ours: number[] = []
  const raw: number[] = []
  const times: ProcessorTimes[] = []
  const rawTimes: ProcessorTimes[] = []
  for (let round = 0; round < rounds; round++) {
    const { rate, processor } = await dispatchAll(installation, team, round)
    ours.push(rate)
    times.push(processor)
    const bare = await createRaw(installation, round)
    raw.push(bare.rate)
    rawTimes.push(bare.processor)
    note(
      `round ${round + 1}: ${rate.toFixed(0)}/s dispatched, ${raw.at(-1)?.toFixed(0)}/s raw; ${describeTimes([processor])}`,
    )
  }
  return [
    {
      what: `dispatch of ${runs} waiting ScanRuns, caps off, suspended Jobs counted (${rounds} rounds)`,
      ours: `${median(ours).toFixed(0)}/s (${Math.min(...ours).toFixed(0)}–${Math.max(...ours).toFixed(0)})`,
      beside: `the same four writes by a bare loop of ${connections}: ${median(raw).toFixed(0)}/s`,
      reach: '≥ 60/s',
      met: median(ours) >= 60,
    },
    {
      what: 'processor time of one dispatch, by process',
      ours: describeTimes(times),
      beside: describeTimes(rawTimes),
      reach: '',
      met: undefined,
    },
  ]
}

interface Outcome {
  /** Runs per second. */
  readonly rate: number
  readonly processor: ProcessorTimes
}

/** Jobs per second, from the moment that the runs may start to the answer to the last Job's creation. */
async function dispatchAll(installation: Installation, team: Team, round: number): Promise<Outcome> {
  const { client, cluster, users } = installation
  const { namespace } = team
  const name = `round-${round}`
  const spec = { suspend: true, limits: { concurrent: 10_000 }, schedule: { full: 'None', initial: false } }
  await team.createManagedScan(name, spec)
  const names = Array.from({ length: runs }, (_, index) => `${name}-${index}`)
  await forEachParallel(names, connections, async (run) => {
    await team.createRun(run, name, 'dispatch', commit)
  })
  await until(
    'all runs wait',
    async () => {
      const { items } = await client.list(resources.scanRuns, namespace)
      return items.filter(({ status }) => status?.conditions !== undefined).length === runs
    },
    patience,
  )
  const log = cluster.auditLog ?? ''
  const from = statSync(log).size
  const meter = createProcessorMeter(installation)
  const since = Date.now()
  await client.patch(resources.managedScans, namespace, name, { spec: { suspend: false } }, { type: 'merge' })
  // Looked for in the log and not asked of the server, which has enough to do; and seldom, since reading costs time too.
  const created = await until(
    'all Jobs are created and unsuspended',
    async () => {
      const jobs = (await readAudit(log, { since, from })).filter(
        ({ user, resource, code }) => user === users.controller && resource === 'jobs' && code < 300,
      )
      const creates = jobs.filter(({ verb }) => verb === 'create')
      const started = new Set(jobs.filter(({ verb }) => verb === 'patch').map((patch) => patch.name))
      return creates.length >= runs && started.size >= runs && creates
    },
    { ...patience, everyMs: 4_000 },
  )
  const processor = meter.perItem(runs)
  const last = Math.max(...created.map(({ answeredAt }) => answeredAt))
  await forEachParallel(names, connections, async (run) => {
    await client.delete(resources.scanRuns, namespace, run)
  })
  await noJobs(installation, namespaces.scans)
  return { rate: runs / ((last - since) / 1000), processor }
}

async function createRaw(installation: Installation, round: number): Promise<Outcome> {
  const { client } = installation
  const names = Array.from({ length: runs }, (_, index) => `raw-${round}-${index}`)
  const meter = createProcessorMeter(installation)
  const begin = performance.now()
  await forEachParallel(names, connections, (name) => createRawSet(client, 'default', name))
  const outcome = { rate: runs / ((performance.now() - begin) / 1000), processor: meter.perItem(runs) }
  await forEachParallel(names, connections, (name) => deleteRawSet(client, 'default', name))
  await noJobs(installation, 'default')
  return outcome
}

async function noJobs({ client }: Installation, namespace: string): Promise<void> {
  await until(
    'no Job is left',
    async () => {
      const jobs = await client.list(resources.jobs, namespace, { limit: 1 })
      const pods = await client.list(resources.pods, namespace, { limit: 1 })
      return jobs.items.length + pods.items.length === 0
    },
    patience,
  )
}

function describeTimes(times: readonly ProcessorTimes[]): string {
  const [first = {}] = times
  return Object.keys(first)
    .map((name) => `${name} ${median(times.map((one) => one[name] ?? 0)).toFixed(1)} ms`)
    .join(', ')
}
