/**
 * One job: resident memory of the controller as its pod runs it: at rest with one connection, and after it has discovered
 * 10,000 repositories. Memory is read when it has settled: the lowest of half a minute, since a heap that was just
 * used is larger than what is kept.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Installation } from './installation.ts'
import { bareNodeBytes, type OperatorProcess } from './process.ts'
import type { Row } from './report.ts'
import { createTeam } from './team.ts'

const many = 10_000
const settleMs = 30_000
const readEveryMs = 2_000
const megabyte = 1e6

export async function measureMemory(installation: Installation, note: (line: string) => void): Promise<readonly Row[]> {
  const { codeHost } = installation
  const fresh = await installation.restartController()
  const bare = await bareNodeBytes()
  await createTeam(installation, ['memory'])
  const atRest = await settled(fresh)
  note(`at rest: ${mb(atRest)}`)
  host(installation, many)
  const begin = Date.now()
  const team = await createTeam(installation, [])
  const discovered = Date.now() - begin
  const afterDiscovery = await settled(fresh)
  note(`after discovery of ${many} repositories in ${team.namespace}: ${mb(afterDiscovery)}`)
  const restarted = await installation.restartController()
  const afterStart = await settled(restarted)
  codeHost.state.repositories.splice(0)
  return [
    {
      what: 'controller memory at rest, one connection (RSS of the bundle, when it has settled)',
      ours: mb(atRest),
      beside: `bare Node: ${mb(bare)}`,
      reach: '≤ 120 MB',
      met: atRest <= 120 * megabyte,
    },
    {
      what: `controller memory with ${many} ScmRepositories, after it has discovered them`,
      ours: mb(afterDiscovery),
      beside: `discovered in ${(discovered / 1000).toFixed(0)} s`,
      reach: '≤ 200 MB',
      met: afterDiscovery <= 200 * megabyte,
    },
    {
      what: `the same after a restart, when it has listed all ${many}`,
      ours: mb(afterStart),
      reach: '≤ 200 MB',
      met: afterStart <= 200 * megabyte,
    },
  ]
}

/** Repositories without files of their own: all share the git repository of the first. */
function host({ codeHost }: Installation, count: number): void {
  const [first] = codeHost.state.repositories
  if (first === undefined) throw new Error('the demo code host has no repository to share')
  for (let number = 0; number < count; number++) {
    codeHost.state.repositories.push({ ...first, id: 1_000_000 + number, name: `memory-${number}` })
  }
}

async function settled(process: OperatorProcess): Promise<number> {
  let lowest = Number.POSITIVE_INFINITY
  for (let waited = 0; waited < settleMs; waited += readEveryMs) {
    await sleep(readEveryMs)
    lowest = Math.min(lowest, process.residentBytes())
  }
  return lowest
}

function mb(bytes: number): string {
  return `${Math.round(bytes / megabyte)} MB`
}
