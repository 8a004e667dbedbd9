/**
 * One job: how long the controller and the gateway take about one scan when nothing else waits. All times are the API
 * server's own, from the audit log; only the upload is timed at its sender, by the same clock.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { resources } from '../../operator/kube/resources.ts'
import { attemptName } from '../../operator/scan/attempt.ts'
import { type ApiRequest, readAudit } from '../support/audit.ts'
import { until } from '../support/wait.ts'
import { type Installation, namespaces } from './installation.ts'
import { type Played, playPod } from './pod.ts'
import { suspendedJob } from './raw.ts'
import type { Row } from './report.ts'
import { describeMilliseconds, median } from './statistics.ts'
import { createTeam, type Team } from './team.ts'

const runs = 25
/** The first ones pay for connections and for code that is compiled; they are run and not counted. */
const warmUps = 3

interface Sample {
  readonly uid: string
  readonly name: string
  readonly createdAt: number
  readonly played: Played
}

export async function measureLatency(installation: Installation): Promise<readonly Row[]> {
  const team = await createTeam(installation, ['latency'])
  await team.createManagedScan('all', { schedule: { full: 'None', initial: false } })
  const since = Date.now()
  const samples: Sample[] = []
  for (let number = 0; number < warmUps + runs; number++) samples.push(await oneScan(installation, team, number))
  const requests = await readAudit(installation.cluster.auditLog ?? '', { since })
  const counted = samples.slice(warmUps)
  const dispatch = counted.map((sample) => unsuspendedAt(sample, requests) - sample.createdAt)
  const completed = counted.map((sample) => completedAt(sample, requests, installation))
  const fromSent = completed.map((at, index) => at - (counted[index]?.played.sentAt ?? Number.NaN))
  const fromAccepted = completed.map((at, index) => Math.max(0, at - (counted[index]?.played.acceptedAt ?? Number.NaN)))
  return [
    {
      what: `ScanRun created → Job unsuspended, nothing else waiting (${runs} scans, one after the other)`,
      ours: describeMilliseconds(dispatch),
      beside: `a Job created by hand: ${await bareJob(installation)}`,
      reach: 'p50 ≤ 300 ms',
      met: median(dispatch) <= 300,
    },
    {
      what: `upload accepted → ScanRun complete (${runs} uploads of 10 findings)`,
      ours: describeMilliseconds(fromAccepted),
      beside: `from the first byte sent: ${describeMilliseconds(fromSent)}`,
      reach: 'p50 ≤ 500 ms',
      met: median(fromAccepted) <= 500,
    },
  ]
}

async function oneScan(installation: Installation, team: Team, number: number): Promise<Sample> {
  const { client } = installation
  const name = `latency-${number}`
  // Work about the scan before is over, and its coalesced writes too.
  await sleep(500)
  const createdAt = Date.now()
  const uid = await team.createRun(name, 'all', 'latency')
  const played = await playPod(installation, team.namespace, name)
  await until('the scan is over and its pod is gone', async () => {
    const run = await client.get(resources.scanRuns, team.namespace, name)
    const job = await client.get(resources.jobs, namespaces.scans, attemptName(uid, 1))
    return run?.status?.result !== undefined && job === undefined
  })
  return { uid, name, createdAt, played }
}

function unsuspendedAt({ uid, name }: Sample, requests: readonly ApiRequest[]): number {
  const job = attemptName(uid, 1)
  const found = requests.find(
    (request) => request.verb === 'patch' && request.resource === 'jobs' && request.name === job,
  )
  if (found === undefined) throw new Error(`the audit log does not tell when the Job of ${name} was unsuspended`)
  return found.answeredAt
}

function completedAt({ name }: Sample, requests: readonly ApiRequest[], { users }: Installation): number {
  const found = requests.find(
    (request) =>
      request.user === users.gateway &&
      request.resource === 'scanruns' &&
      request.name === name &&
      request.code === 200,
  )
  if (found === undefined) throw new Error(`the audit log does not tell when ${name} was completed`)
  return found.answeredAt
}

/** What one create of such an object takes by itself: no operator can be quicker than its writes. */
async function bareJob({ client }: Installation): Promise<string> {
  const times: number[] = []
  for (let number = 0; number < runs; number++) {
    const begin = performance.now()
    const name = `bare-${number}`
    await client.create(resources.jobs, 'default', suspendedJob(name))
    times.push(performance.now() - begin)
    await client.delete(resources.jobs, 'default', name)
  }
  return describeMilliseconds(times)
}
