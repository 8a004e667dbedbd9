/**
 * What a kubelet and the programs of a scan pod would do, for control planes without nodes: the pod's status is written
 * through the API, and the result is handed in to a real gateway with the token of the scan's own Secret. Nothing of
 * Kubernetes is imitated: Jobs, pods, owners, finalizers and their controllers are its own.
 */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ScanRun } from '../../operator/api/kinds.ts'
import { annotations } from '../../operator/api/names.ts'
import type { Pod } from '../../operator/kube/objects.ts'
import { resources } from '../../operator/kube/resources.ts'
import { type AttemptFacts, factsOf } from '../../operator/scan/attempt.ts'
import { exitCodes } from '../../operator/scan/contract/exit.ts'
import { secretKeys } from '../../operator/scan/contract/plan.ts'
import type { Site } from './controller.ts'
import type { Answer, GatewayUnderTest } from './gateway.ts'
import { anUpload, type FindingShape } from './results.ts'
import { until } from './wait.ts'

export interface ScanPod {
  readonly pod: Pod
  readonly facts: AttemptFacts
  readonly jobName: string
  readonly run: { readonly namespace: string; readonly name: string }
  /** The clone credential and the upload token, as the pod's volumes would show them. */
  readonly token: string
  readonly uploadToken: string
}

/** The pod of a run, as soon as the Job controller has made it. */
export async function podOf(site: Site, run: string): Promise<ScanPod> {
  const key = `${site.namespaces.team}/${run}`
  const isOf = ({ metadata }: Pod) =>
    metadata.annotations?.[annotations.run] === key && metadata.deletionTimestamp === undefined
  const pod = await until(`${run} has a pod`, async () => (await site.pods()).find(isOf))
  const job = (await site.jobs()).find(({ metadata }) => metadata.annotations?.[annotations.run] === key)
  const facts = job && factsOf(job)
  assert.ok(job && facts, 'a pod belongs to a Job with facts')
  const secret = await site.client.get(resources.secrets, site.namespaces.scans, job.metadata.name)
  const read = (name: string) => Buffer.from(secret?.data?.[name] ?? '', 'base64').toString('utf8')
  return {
    pod,
    facts,
    jobName: job.metadata.name,
    run: { namespace: site.namespaces.team, name: run },
    token: read(secretKeys.token),
    uploadToken: read(secretKeys.uploadToken),
  }
}

export type ContainerEnd = keyof typeof exitCodes | 'Completed' | 'OOMKilled'

/** The kubelet's word about the containers: those without an end still run. */
export async function tellStatus(
  site: Site,
  { pod }: ScanPod,
  ends: { readonly clone?: ContainerEnd; readonly scan?: ContainerEnd; readonly phase?: string },
): Promise<void> {
  const containerStatuses = (['clone', 'scan'] as const).map((name) => ({
    name,
    image: 'scanner',
    imageID: 'scanner',
    ready: ends[name] === undefined,
    restartCount: 0,
    state: stateOf(ends[name]),
  }))
  const phase = ends.phase ?? 'Running'
  const { namespace, name } = pod.metadata
  const status = { phase, containerStatuses }
  await site.client.patch(resources.pods, namespace, name, { status }, { type: 'merge', subresource: 'status' })
}

function stateOf(end: ContainerEnd | undefined): object {
  const startedAt = new Date().toISOString()
  if (end === undefined) return { running: { startedAt } }
  const times = { startedAt, finishedAt: startedAt }
  if (end === 'Completed') return { terminated: { exitCode: 0, reason: end, ...times } }
  if (end === 'OOMKilled') return { terminated: { exitCode: 137, reason: end, ...times } }
  const message = JSON.stringify({ reason: end, message: `The pod says ${end}.` })
  return { terminated: { exitCode: exitCodes[end], reason: 'Error', message, ...times } }
}

/** The whole life of a pod that scans well: clone, scan, upload, end. */
export async function playScan(
  site: Site,
  gateway: GatewayUnderTest,
  run: string,
  findings: readonly FindingShape[] = [],
): Promise<ScanPod> {
  const played = await podOf(site, run)
  await tellStatus(site, played, { clone: 'Completed' })
  const answer = await uploadResult(gateway, played, findings)
  assert.equal(answer.status, 200, answer.body)
  return played
}

export interface Player {
  stop(): Promise<void>
}

/** Plays every pod that appears, each once, until it is stopped. A pod that goes away in the middle is nobody's fault. */
export function playEveryPod(site: Site, gateway: GatewayUnderTest): Player {
  const played = new Set<string>()
  const stopping = new AbortController()
  const done = (async () => {
    while (!stopping.signal.aborted) {
      const pods = await site.pods().catch(() => [])
      for (const { metadata } of pods) {
        const run = metadata.annotations?.[annotations.run]?.split('/')[1]
        if (run === undefined || metadata.deletionTimestamp !== undefined || played.has(metadata.uid)) continue
        played.add(metadata.uid)
        await playScan(site, gateway, run).catch(() => undefined)
      }
      await sleep(25)
    }
  })()
  return {
    async stop() {
      stopping.abort()
      await done
    },
  }
}

export function uploadResult(
  gateway: GatewayUnderTest,
  { facts, run, uploadToken }: ScanPod,
  findings: readonly FindingShape[] = [],
): Promise<Answer> {
  const upload = { ...anUpload(findings, facts.products), commit: facts.commit }
  return gateway.upload({ uid: facts.runUid, token: uploadToken, ...run }, upload)
}

/** Ended, and what ran of it is gone. */
export function isOver(run: ScanRun): boolean {
  const { startTime, evidence, conditions = [] } = run.status ?? {}
  const ended = conditions.some(({ type, status }) => ['Complete', 'Failed'].includes(type) && status === 'True')
  return ended && (startTime === undefined || evidence?.podDeletedTime !== undefined)
}

interface Conditioned {
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason: string }[]
  }
}

/** `Ready` of anything in two words, such as `True Succeeded`. */
export function readiness(object: Conditioned | undefined): string {
  const ready = object?.status?.conditions?.find(({ type }) => type === 'Ready')
  return `${ready?.status} ${ready?.reason}`
}
