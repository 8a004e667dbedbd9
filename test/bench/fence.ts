/**
 * One job: what the fence costs: from the write that unsuspends a Job to the call that fetches the repository, against the
 * very same Job in a namespace without policies whose plan asks for no proof. In turns, on one node, from one image.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Resource, resources } from '../../operator/kube/resources.ts'
import { attemptName } from '../../operator/scan/attempt.ts'
import { type ClonePlan, clonePlanSchema, planVariable, secretKeys } from '../../operator/scan/contract/plan.ts'
import { readAudit } from '../support/audit.ts'
import { until } from '../support/wait.ts'
import { namespaces } from './installation.ts'
import { type Node, openNamespace } from './node.ts'
import type { Row } from './report.ts'
import { describeSeconds, median } from './statistics.ts'
import { createTeam, type Team } from './team.ts'

const pairs = 10
const warmUps = 1
const repository = 'fence'
const patience = { withinMs: 180_000, everyMs: 100 }

/** The parts of a Job that are changed here; everything else is taken over as it is. */
interface PlainJob {
  readonly metadata: { readonly name: string }
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly containers: readonly { readonly name: string; readonly env: readonly Variable[] }[]
        readonly volumes: readonly { readonly name: string }[]
      }
    }
  }
}

interface Variable {
  readonly name: string
  readonly value: string
}

const plainJobs: Resource<PlainJob> = { group: 'batch', version: 'v1', plural: 'jobs', kind: 'Job' }

export async function measureFence(node: Node, note: (line: string) => void): Promise<readonly Row[]> {
  const team = await createTeam(node, [repository])
  await team.createManagedScan('all', { schedule: { full: 'None', initial: false } })
  const token = node.codeHost.issueToken()
  const ours: number[] = []
  const bare: number[] = []
  for (let number = 0; number < warmUps + pairs; number++) {
    const { milliseconds, job } = await fenced(node, team, `fence-${number}`)
    const without = await unfenced(node, job, token, `bare-${number}`)
    note(`with the fence ${Math.round(milliseconds)} ms, without ${Math.round(without)} ms`)
    if (number < warmUps) continue
    ours.push(milliseconds)
    bare.push(without)
  }
  const more = median(ours) - median(bare)
  return [
    {
      what: `Job unsuspended → repository fetched, with the fence and without (${pairs} pairs in turns)`,
      ours: describeSeconds(ours),
      beside: `a bare Job of the same image: ${describeSeconds(bare)}; ${(more / 1000).toFixed(2)} s more`,
      reach: '≤ 0.70 s more',
      met: more <= 700,
    },
  ]
}

async function fenced(node: Node, team: Team, name: string): Promise<{ milliseconds: number; job: PlainJob }> {
  const { client, cluster } = node
  const since = Date.now()
  const seen = node.codeHost.stats.calls.length
  const uid = await team.createRun(name, 'all', repository)
  const jobName = attemptName(uid, 1)
  const job = await until('the Job of the run', () => client.get(plainJobs, namespaces.scans, jobName), {
    ...patience,
    everyMs: 20,
  })
  const fetchedAt = await fetched(node, seen)
  await until(
    'the scan is over',
    async () => {
      const run = await client.get(resources.scanRuns, team.namespace, name)
      const gone = (await client.get(resources.jobs, namespaces.scans, jobName)) === undefined
      return run?.status?.completionTime !== undefined && gone
    },
    patience,
  )
  const unsuspend = (await readAudit(cluster.auditLog ?? '', { since })).find(
    (request) => request.verb === 'patch' && request.resource === 'jobs' && request.name === jobName,
  )
  if (unsuspend === undefined) throw new Error(`the audit log does not tell when the Job of ${name} was unsuspended`)
  return { milliseconds: fetchedAt - unsuspend.answeredAt, job }
}

/** The same Job without its scan container, without a proof, and with a token that lives longer. */
async function unfenced(node: Node, job: PlainJob, token: string, name: string): Promise<number> {
  const { client, codeHost } = node
  await client.create(resources.secrets, openNamespace, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name },
    stringData: { [secretKeys.token]: token, [secretKeys.codeHostCa]: codeHost.caPem },
  })
  await client.create(plainJobs, openNamespace, bareJob(job, name))
  // The Job controller has taken notice of the suspended Job, as it has of ours.
  await sleep(500)
  const seen = codeHost.stats.calls.length
  await client.patch(resources.jobs, openNamespace, name, { spec: { suspend: false } }, { type: 'merge' })
  const unsuspendedAt = performance.timeOrigin + performance.now()
  const fetchedAt = await fetched(node, seen)
  await client.delete(resources.jobs, openNamespace, name)
  await client.delete(resources.secrets, openNamespace, name)
  return fetchedAt - unsuspendedAt
}

function bareJob({ spec }: PlainJob, name: string): object {
  const { template } = spec
  const clone = template.spec.containers.filter((container) => container.name === 'clone')
  const volumes = template.spec.volumes
    .filter((volume) => !volume.name.startsWith('scan-'))
    .map((volume) => ('secret' in volume ? { ...volume, secret: { secretName: name } } : volume))
  const containers = clone.map((container) => ({
    ...container,
    env: [{ name: planVariable, value: JSON.stringify(withoutProof(container.env)) }],
  }))
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name },
    spec: {
      suspend: true,
      backoffLimit: 0,
      template: { spec: { ...template.spec, containers, volumes } },
    },
  }
}

function withoutProof(env: readonly Variable[]): ClonePlan {
  const plan = clonePlanSchema.parse(JSON.parse(env.find(({ name }) => name === planVariable)?.value ?? ''))
  return { ...plan, fence: { ...plan.fence, enforced: false } }
}

/** When the call arrived whose answer holds the objects. */
async function fetched({ codeHost }: Node, seen: number): Promise<number> {
  const call = await until(
    'git fetches the repository',
    () =>
      codeHost.stats.calls
        .slice(seen)
        .find(
          ({ kind, method, path, status }) =>
            kind === 'Git' && method === 'POST' && path.endsWith('/git-upload-pack') && status === 200,
        ),
    { ...patience, everyMs: 10 },
  )
  return call.at
}
