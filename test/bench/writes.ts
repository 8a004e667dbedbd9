/**
 * One job: what one scan costs the API server, counted in its audit log: every request of the controller and the gateway
 * while a ManagedScan scans its repositories for the first time, from the creation of the ManagedScan to the last evidence.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { resources } from '../../operator/kube/resources.ts'
import { type ApiRequest, countRequests, isWrite, readAudit } from '../support/audit.ts'
import { until } from '../support/wait.ts'
import type { Installation } from './installation.ts'
import { playPod } from './pod.ts'
import type { Row } from './report.ts'
import { createTeam } from './team.ts'

const scans = 40

export async function measureWrites(installation: Installation, note: (line: string) => void): Promise<readonly Row[]> {
  const { client, cluster, users } = installation
  const repositories = Array.from({ length: scans }, (_, index) => `writes-${index}`)
  const team = await createTeam(installation, repositories)
  // What is read once, such as the address of the gateway, is read by this one.
  await team.createManagedScan('first', { schedule: { full: 'None', initial: false } })
  await team.createRun('first', 'first', 'writes-0')
  await playPod(installation, team.namespace, 'first')
  await settle()
  const since = Date.now()
  await team.createManagedScan('all', {
    repositories: { include: [`${installation.codeHost.organization}/writes-*`] },
    schedule: { full: 'None' },
  })
  const played = new Set<string>()
  await until(
    'all scans are over and all that is to be said about them is written',
    async () => {
      const { items } = await client.list(resources.scanRuns, team.namespace)
      const own = items.filter(({ spec }) => spec.managedScanRef.name === 'all')
      for (const { metadata, status } of own) {
        if (status?.attempt === undefined || played.has(metadata.name)) continue
        played.add(metadata.name)
        void playPod(installation, team.namespace, metadata.name).catch((error: Error) => note(error.message))
      }
      const managedScan = await client.get(resources.managedScans, team.namespace, 'all')
      const { scanned, running, waiting } = managedScan?.status?.repositories ?? {}
      const over = own.filter(({ status }) => status?.result !== undefined).length
      return over === scans && scanned === scans && running === 0 && waiting === 0
    },
    { withinMs: 300_000 },
  )
  await settle()
  const requests = (await readAudit(cluster.auditLog ?? '', { since })).filter(isAboutScans)
  const ours = requests.filter(({ user }) => user === users.controller || user === users.gateway)
  const writes = ours.filter(isWrite)
  const reads = ours.filter(({ verb }) => verb === 'get' || verb === 'list')
  const perScan = writes.length / scans
  for (const [kind, count] of countRequests(ours)) note(`${(count / scans).toFixed(2)} per scan: ${kind}`)
  const everybody = requests.filter(isWrite).filter(({ user }) => user !== 'admin').length / scans
  return [
    {
      what: `API writes by the operator per scan, creation of the ScanRun included (${scans} first scans)`,
      ours: perScan.toFixed(2),
      beside: `with Kubernetes' own controllers: ${everybody.toFixed(1)}`,
      reach: '≤ 9',
      met: perScan <= 9,
    },
    {
      what: `GET and LIST by the operator over the same ${scans} scans`,
      ours: describeReads(reads),
      reach: '0',
      met: reads.length === 0,
    },
  ]
}

/** The Lease is renewed whether or not anything is scanned. */
function isAboutScans({ resource }: ApiRequest): boolean {
  return resource !== 'leases'
}

function describeReads(reads: readonly ApiRequest[]): string {
  if (reads.length === 0) return '0'
  const kinds = [...countRequests(reads)].map(([kind, count]) => `${count} × ${kind}`)
  return `${reads.length} (${kinds.join(', ')})`
}

/** Longer than any write is held back to be merged with the next one. */
function settle(): Promise<void> {
  return sleep(5_000)
}
