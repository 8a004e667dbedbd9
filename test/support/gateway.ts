/**
 * The real gateway against the real control plane, and what the controller and a scan pod do around it: a namespace with
 * a repository, runs that wait for their result, and uploads.
 */
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { Registry } from 'prom-client'
import type { ScanRun } from '../../operator/api/kinds.ts'
import { apiVersion, fieldManagers } from '../../operator/api/names.ts'
import { readGatewayConfig } from '../../operator/config.ts'
import { type Gateway, type GatewayDeps, runGateway } from '../../operator/gateway/index.ts'
import type { KubeClient } from '../../operator/kube/client.ts'
import { resources } from '../../operator/kube/resources.ts'
import { createMetrics } from '../../operator/telemetry/metrics.ts'
import { issueAuthority } from '../../operator/tls/certificates.ts'
import { testLog } from './kubernetes.ts'
import { scanRun, scmRepository } from './manifests.ts'
import { aCommit } from './results.ts'

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

export interface GatewayUnderTest {
  readonly gateway: Gateway
  readonly ca: string
  readonly lines: readonly Record<string, unknown>[]
  /** Sends an HTTPS request to it. */
  send(method: string, path: string, headers?: Record<string, string>, body?: Buffer | string): Promise<Answer>
  /** Uploads a document, or bytes as they are, as a scan pod does. */
  upload(
    run: WaitingRun,
    document: unknown,
    changes?: { uid?: string; attempt?: string; token?: string },
  ): Promise<Answer>
  stop(): Promise<void>
}

/** `folder` keeps the store between two starts. */
export async function startGateway(
  client: KubeClient,
  namespace: string,
  folder: string,
  changes: Partial<GatewayDeps> = {},
  moreFlags: Readonly<Record<string, string>> = {},
): Promise<GatewayUnderTest> {
  const certificates = await issueAuthority(['localhost'], new Date())
  await writeFile(join(folder, 'tls.crt'), certificates.cert)
  await writeFile(join(folder, 'tls.key'), certificates.key)
  const flags = {
    namespace,
    'watch-namespaces': namespace,
    port: '0',
    'fence-canary-port': '0',
    'metrics-port': '0',
    'health-port': '0',
    'tls-directory': folder,
    'sqlite-file': join(folder, 'findings.db'),
    ...moreFlags,
  }
  const config = readGatewayConfig(
    Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]),
    {},
  )
  const { log, lines } = testLog()
  const registry = new Registry()
  const gateway = await runGateway(config, { client, log, registry, metrics: createMetrics(registry), ...changes })
  const { ca } = certificates

  function send(method: string, path: string, headers: Record<string, string> = {}, body: Buffer | string = '') {
    return new Promise<Answer>((resolve, reject) => {
      const options = { host: 'localhost', port: gateway.ports.https, ca, method, path, headers, agent: false }
      const sending = request(options, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString(),
          }),
        )
        response.on('error', reject)
      })
      sending.on('error', reject)
      sending.end(body)
    })
  }

  return {
    gateway,
    ca,
    lines,
    send,
    upload(run, document, { uid = run.uid, attempt = '1', token = run.token } = {}) {
      const body = Buffer.isBuffer(document) ? document : gzipSync(JSON.stringify(document))
      const path = `/api/v1/scans/${uid}/${attempt}/result`
      return send('POST', path, { authorization: `Bearer ${token}`, 'content-length': String(body.length) }, body)
    },
    stop: () => gateway.stop(),
  }
}

export async function makeFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'scanfleet-gateway-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}

/** A run whose pod is about to hand in its result. */
export interface WaitingRun {
  readonly uid: string
  readonly name: string
  readonly namespace: string
  readonly token: string
}

export async function createRepository(client: KubeClient, namespace: string, name: string): Promise<void> {
  const changes = { id: name, fullName: `acme/${name}`, defaultBranch: 'main' }
  await client.create(resources.scmRepositories, namespace, scmRepository(name, changes))
}

/** What the controller writes until the pod may start. `changes` go over the attempt. */
export async function createWaitingRun(
  client: KubeClient,
  namespace: string,
  repository: string,
  changes: { attempt?: object; status?: object; spec?: object; withoutStatus?: boolean } = {},
): Promise<WaitingRun> {
  const name = `run-${randomBytes(4).toString('hex')}`
  const manifest = scanRun(name, { repository: { name: repository }, ...changes.spec })
  const created = await client.create(resources.scanRuns, namespace, manifest)
  const run = { uid: created.metadata.uid, name, namespace, token: randomBytes(32).toString('base64url') }
  if (!changes.withoutStatus) await tellToken(client, run, repository, changes)
  return run
}

export async function tellToken(
  client: KubeClient,
  run: WaitingRun,
  repository: string,
  changes: { attempt?: object; status?: object } = {},
): Promise<void> {
  const now = new Date()
  const attempt = {
    number: 1,
    jobName: run.name,
    uploadTokenDigest: createHash('sha256').update(run.token).digest('hex'),
    uploadExpirationTime: new Date(now.getTime() + 3_600_000).toISOString(),
    products: ['Code', 'SupplyChain', 'Secrets'],
    policy: [],
    ...changes.attempt,
  }
  const running = { type: 'Ready', status: 'False', reason: 'Running', message: 'The pod clones and scans.' }
  const status = {
    repository: `acme/${repository}`,
    repositoryName: repository,
    repositoryId: repository,
    branch: 'main',
    commit: aCommit,
    startTime: now.toISOString(),
    attempt,
    evidence: { image: 'scanner' },
    conditions: [{ ...running, lastTransitionTime: now.toISOString() }],
    ...changes.status,
  }
  const object = { apiVersion, kind: 'ScanRun', metadata: { name: run.name, uid: run.uid }, status }
  const options = { fieldManager: fieldManagers.scanRun, subresource: 'status' } as const
  await client.apply(resources.scanRuns, run.namespace, object, options)
}

export async function readRun(client: KubeClient, run: WaitingRun): Promise<ScanRun> {
  const found = await client.get(resources.scanRuns, run.namespace, run.name)
  if (!found) throw new Error(`the run ${run.name} is gone`)
  return found
}

/** `True`, `False`, or undefined when the condition is not there. */
export function condition(run: ScanRun, type: string): string | undefined {
  return run.status?.conditions?.find((candidate) => candidate.type === type)?.status
}
