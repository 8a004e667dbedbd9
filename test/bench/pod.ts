/**
 * One job: what a node and a scan pod do about a Job on a control plane that has no nodes. No part of Kubernetes is
 * imitated: the Job controller makes the real pod, its status is written through the API as a kubelet writes it, and the
 * result goes to the real gateway with the token from the attempt's own Secret.
 */
import { request } from 'node:https'
import { gzipSync } from 'node:zlib'
import type { ScanRun } from '../../operator/api/kinds.ts'
import { resources } from '../../operator/kube/resources.ts'
import { attemptName } from '../../operator/scan/attempt.ts'
import { secretKeys } from '../../operator/scan/contract/plan.ts'
import { anUpload } from '../support/results.ts'
import { until } from '../support/wait.ts'
import { type Gateway, type Installation, namespaces } from './installation.ts'

export interface Played {
  /** Wall clock, milliseconds, when the first byte of the result was sent and when the gateway said that it has it. */
  readonly sentAt: number
  readonly acceptedAt: number
}

const findings = Array.from({ length: 10 }, (_, index) => ({ id: `finding-${index}` }))

/** Plays the pod of the run's first attempt from its start until the gateway has taken its result. */
export async function playPod(installation: Installation, namespace: string, name: string): Promise<Played> {
  const { client, gateway } = installation
  const run = await until(`the run ${name} is told to have started`, async () => {
    const found = await client.get(resources.scanRuns, namespace, name)
    return found?.status?.attempt && found
  })
  const jobName = attemptName(run.metadata.uid, 1)
  const secret = await until('the Secret of the attempt', () =>
    client.get(resources.secrets, namespaces.scans, jobName),
  )
  const token = Buffer.from(secret.data?.[secretKeys.uploadToken] ?? '', 'base64').toString()
  await endClone(installation, jobName)
  return upload(gateway, run, token)
}

async function endClone({ client }: Installation, jobName: string): Promise<void> {
  const pod = await until('the Job controller makes the pod', async () => {
    const { items } = await client.list(resources.pods, namespaces.scans, {
      labelSelector: `batch.kubernetes.io/job-name=${jobName}`,
    })
    return items[0]
  })
  const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z')
  const container = (containerName: string, state: object) => ({
    name: containerName,
    image: 'bench',
    imageID: 'bench',
    ready: false,
    restartCount: 0,
    state,
  })
  const status = {
    phase: 'Running',
    containerStatuses: [
      container('clone', { terminated: { exitCode: 0, reason: 'Completed', startedAt: now, finishedAt: now } }),
      container('scan', { running: { startedAt: now } }),
    ],
  }
  const options = { type: 'strategic', subresource: 'status' } as const
  await client.patch(resources.pods, namespaces.scans, pod.metadata.name, { status }, options)
}

function upload({ port, caPem, serverName }: Gateway, run: ScanRun, token: string): Promise<Played> {
  const { commit = '', attempt } = run.status ?? {}
  const document = { ...anUpload(findings, attempt?.products ?? []), commit }
  const body = gzipSync(JSON.stringify(document))
  return new Promise((resolve, reject) => {
    const sentAt = wallClock()
    const sending = request(
      {
        host: '127.0.0.1',
        port,
        servername: serverName,
        ca: caPem,
        method: 'POST',
        path: `/api/v1/scans/${run.metadata.uid}/1/result`,
        headers: { authorization: `Bearer ${token}`, 'content-length': String(body.length) },
        agent: false,
      },
      (response) => {
        const acceptedAt = wallClock()
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => {
          if (response.statusCode === 200) resolve({ sentAt, acceptedAt })
          else reject(new Error(`the gateway refused the result: ${response.statusCode} ${Buffer.concat(chunks)}`))
        })
      },
    )
    sending.on('error', reject)
    sending.end(body)
  })
}

/** Milliseconds with a fraction, comparable to times in the audit log. */
function wallClock(): number {
  return performance.timeOrigin + performance.now()
}
