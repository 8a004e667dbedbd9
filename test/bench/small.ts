/**
 * One job: whole scans of small repositories on a node: one alone, less what its engines took, and fifty, against a shell
 * loop that runs the same tools over the same repositories one after the other in one container of the same image.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ScanRun } from '../../operator/api/kinds.ts'
import { resources } from '../../operator/kube/resources.ts'
import { hasEnded } from '../../operator/scan/outcome.ts'
import { readAudit } from '../support/audit.ts'
import { until } from '../support/wait.ts'
import { shellLoop } from './loop.ts'
import { gatewayUser, type Node } from './node.ts'
import type { Row } from './report.ts'
import { describeMilliseconds, median } from './statistics.ts'
import { createTeam, type Team } from './team.ts'

const alone = 10
const warmUps = 1
const many = 50
const patience = { withinMs: 900_000, everyMs: 250 }

export async function measureSmallScans(node: Node, note: (line: string) => void): Promise<readonly Row[]> {
  const names = Array.from({ length: many }, (_, index) => `small-${index}`)
  const team = await createTeam(node, names)
  const overheads = await scanAlone(node, team)
  note(`one alone, without its engines: ${describeMilliseconds(overheads)}`)
  // Before and after, since the machine may be slower the one time than the other.
  const before = await shellLoop(node, names)
  note(`${many} by a shell loop: ${(before / 1000).toFixed(1)} s`)
  const fleet = await scanAll(node, team)
  note(`${many} by Scanfleet: ${(fleet / 1000).toFixed(1)} s`)
  const after = await shellLoop(node, names)
  note(`${many} by a shell loop again: ${(after / 1000).toFixed(1)} s`)
  const loop = (before + after) / 2
  const extra = (fleet - loop) / many / 1000
  return [
    {
      what: `ScanRun created → Complete for ten files, less the engines' own time (${alone} scans)`,
      ours: describeMilliseconds(overheads),
      reach: 'p50 ≤ 2.0 s',
      met: median(overheads) <= 2000,
    },
    {
      what: `${many} small repositories end to end, five side by side as a ManagedScan does by itself`,
      ours: `${(fleet / 1000).toFixed(1)} s (${(fleet / many / 1000).toFixed(2)} s each)`,
      beside: `a shell loop in one container: ${(loop / 1000).toFixed(1)} s (${(loop / many / 1000).toFixed(2)} s each)`,
      reach: `≤ 2.0 s extra per scan; ${extra.toFixed(2)} s`,
      met: extra <= 2,
    },
  ]
}

async function scanAlone({ client, cluster }: Node, team: Team): Promise<number[]> {
  await team.createManagedScan('by-hand', { schedule: { full: 'None', initial: false } })
  const since = Date.now()
  const scans: { readonly createdAt: number; readonly run: ScanRun }[] = []
  for (let number = 0; number < warmUps + alone; number++) {
    const name = `alone-${number}`
    const createdAt = Date.now()
    await team.createRun(name, 'by-hand', 'small-0')
    const run = await until(
      `${name} has ended`,
      async () => {
        const found = await client.get(resources.scanRuns, team.namespace, name)
        return found && hasEnded(found) && found
      },
      patience,
    )
    if (run.status?.result === undefined) throw new Error(`${name} failed: ${JSON.stringify(run.status?.conditions)}`)
    scans.push({ createdAt, run })
    await sleep(2_000)
  }
  const results = (await readAudit(cluster.auditLog ?? '', { since })).filter(
    ({ user, resource, code }) => user === gatewayUser && resource === 'scanruns' && code === 200,
  )
  return scans.slice(warmUps).map(({ createdAt, run }) => {
    const completed = results.find(({ name }) => name === run.metadata.name)
    if (completed === undefined) throw new Error(`the audit log does not tell when ${run.metadata.name} was completed`)
    // They run side by side, so the longest is what the scan waited for.
    const engines = Math.max(...(run.status?.result?.engines ?? []).map(({ milliseconds = 0 }) => milliseconds))
    return completed.answeredAt - createdAt - engines
  })
}

/** Milliseconds from the creation of the ManagedScan to the last result. */
async function scanAll({ client }: Node, team: Team): Promise<number> {
  const begin = performance.now()
  await team.createManagedScan('fifty', {
    repositories: { include: ['*/small-*'] },
    schedule: { full: 'None' },
  })
  const runs = await until(
    'all have ended',
    async () => {
      const { items } = await client.list(resources.scanRuns, team.namespace)
      const own = items.filter(({ spec }) => spec.managedScanRef.name === 'fifty')
      return own.length === many && own.every(hasEnded) && own
    },
    patience,
  )
  const took = performance.now() - begin
  const failed = runs.filter(({ status }) => status?.result === undefined)
  if (failed.length > 0) throw new Error(`${failed.length} of ${many} scans failed`)
  return took
}
