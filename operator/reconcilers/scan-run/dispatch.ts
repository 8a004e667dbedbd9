/**
 * Starts one attempt: credential, suspended Job, then its policy and Secret, and last the write that unsuspends it. That last
 * write is the commit point. A failure before it takes everything back; a crash before it leaves a suspended Job, which the
 * next reconcile removes together with all that belongs to it.
 */
import { createHash, randomBytes } from 'node:crypto'
import type { KubeObject, ManagedScan, ScanRun, ScmConnection, ScmRepository } from '../../api/kinds.ts'
import { isAlreadyExists, isInvalid } from '../../kube/errors.ts'
import type { Job } from '../../kube/objects.ts'
import { type Resource, resources } from '../../kube/resources.ts'
import { type Attempt, type AttemptFacts, attemptName, type Endpoint, factsOf } from '../../scan/attempt.ts'
import { buildNetworkPolicy, buildSecret } from '../../scan/companions.ts'
import { buildJob } from '../../scan/job.ts'
import { durationSeconds } from '../../scan/quantities.ts'
import type { CloneCredential, Priority, Scm } from '../../scm/types.ts'
import type { ScanRunDeps } from './index.ts'

export type DispatchOutcome =
  | { readonly outcome: 'Started'; readonly job: Job; readonly facts: AttemptFacts }
  /** An object that is not ours has the name. */
  | { readonly outcome: 'NameTaken'; readonly name: string }
  /** The API server finds the Job invalid, which trying again does not change. */
  | { readonly outcome: 'Refused'; readonly message: string }
  /** Something of an earlier try is still there; it is looked at again when the cache has seen it. */
  | { readonly outcome: 'Leftover' }

export interface DispatchInput {
  readonly run: ScanRun
  readonly managedScan: ManagedScan
  readonly repository: ScmRepository
  readonly connection: ScmConnection
}

/** In what order calls of runs pass the limiter of their credential. */
const priorities: Readonly<Record<ScanRun['spec']['reason'], Priority>> = {
  PullRequest: 'PullRequest',
  Manual: 'Manual',
  Requested: 'Manual',
  Initial: 'Initial',
  Scheduled: 'Weekly',
}

/** An upload may come this much later than the attempt may run: retries of the pod and clocks that differ. */
const uploadGraceSeconds = 300

export async function dispatch(input: DispatchInput, deps: ScanRunDeps, signal: AbortSignal): Promise<DispatchOutcome> {
  const connectionKey = `${input.connection.metadata.namespace}/${input.connection.metadata.name}`
  const scm = await deps.clients.get(connectionKey)
  const prepared = await prepare(input, connectionKey, scm, deps, signal)
  const { credential, uploadToken, attempt } = prepared
  const forget = deps.redactor.register(credential.token)
  let job: Job | undefined
  try {
    const created = await createJob(attempt, deps)
    if ('outcome' in created) {
      await takeBack(undefined, connectionKey, credential, deps)
      forget()
      return created
    }
    job = created
    const gatewayCa = await deps.gateway.ca()
    const codeHostCa = deps.clients.caOf(connectionKey)
    const secrets = { token: credential.token, uploadToken, gatewayCa, ...(codeHostCa !== undefined && { codeHostCa }) }
    const companions = await Promise.all([
      createCompanion(resources.networkPolicies, buildNetworkPolicy(attempt, job, deps.settings), job, deps),
      createCompanion(resources.secrets, buildSecret(attempt, job, secrets, deps.settings), job, deps),
    ])
    const hindrance = companions.find((outcome) => outcome?.outcome === 'NameTaken') ?? companions.find(Boolean)
    if (hindrance !== undefined) {
      await takeBack(job, connectionKey, credential, deps)
      forget()
      return hindrance
    }
  } catch (error) {
    await takeBack(job, connectionKey, credential, deps)
    forget()
    throw error
  }
  deps.credentials.keep(job, credential, forget)
  // From here on nothing is taken back: when the answer is lost the Job may run, and the next reconcile sees whether it does.
  return { outcome: 'Started', job: await unsuspend(job, deps), facts: attempt.facts }
}

async function prepare(input: DispatchInput, connectionKey: string, scm: Scm, deps: ScanRunDeps, signal: AbortSignal) {
  const { run, managedScan, repository, connection } = input
  const { spec } = repository
  if (spec.cloneUrl === undefined) throw new Error(`the ScmRepository ${repository.metadata.name} has no cloneUrl`)
  const ref = { id: spec.id, fullName: spec.fullName, cloneUrl: spec.cloneUrl }
  const priority = priorities[run.spec.reason]
  const head = run.spec.commit
    ? { commit: run.spec.commit, branch: run.spec.branch }
    : await scm.resolveHead(ref, run.spec.branch ?? spec.defaultBranch, signal, priority)
  const url = new URL(spec.cloneUrl)
  const codeHost: Endpoint = {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(url.port || 443),
    addresses: await deps.resolve(url.hostname),
  }
  const gateway = await deps.gateway.endpoint()
  const uploadToken = randomBytes(32).toString('base64url')
  const credential = await scm.mintCloneCredential(ref, signal, priority)
  const seconds = durationSeconds(managedScan.spec.limits.timeout) + uploadGraceSeconds
  const facts: AttemptFacts = {
    runUid: run.metadata.uid,
    number: 1,
    repositoryName: repository.metadata.name,
    repositoryId: spec.id,
    repository: spec.fullName,
    ...(head.branch !== undefined && { branch: head.branch }),
    commit: head.commit,
    uploadTokenDigest: createHash('sha256').update(uploadToken).digest('hex'),
    uploadExpirationTime: new Date(deps.now().getTime() + seconds * 1000).toISOString(),
    products: [...managedScan.spec.products],
    image: deps.settings.image,
    connection: connectionKey,
    minted: credential.minted,
  }
  const attempt: Attempt = {
    run,
    managedScan,
    facts,
    policy: managedScan.spec.policy ?? [],
    cloneUrl: spec.cloneUrl,
    codeHost,
    gateway,
    forbidden: await deps.gateway.forbidden(),
    username: credential.username,
    hasCodeHostCa: connection.spec.tls?.caConfigMapRef !== undefined,
  }
  return { credential, uploadToken, attempt }
}

async function createJob(attempt: Attempt, deps: ScanRunDeps): Promise<Job | DispatchOutcome> {
  const { scanNamespace } = deps.settings
  const name = attemptName(attempt.facts.runUid, attempt.facts.number)
  try {
    const job = await deps.client.create(resources.jobs, scanNamespace, buildJob(attempt, deps.settings))
    deps.caches.jobs.observe(`${scanNamespace}/${name}`, job)
    return job
  } catch (error) {
    if (isInvalid(error)) return { outcome: 'Refused', message: (error as Error).message }
    if (!isAlreadyExists(error)) throw error
    const existing = await deps.client.get(resources.jobs, scanNamespace, name)
    if (existing !== undefined && factsOf(existing)?.runUid !== attempt.facts.runUid)
      return { outcome: 'NameTaken', name }
    return { outcome: 'Leftover' }
  }
}

/**
 * The commit point. The very Job that we created, still suspended, is the precondition; its resourceVersion would not do,
 * since the Job controller writes its status at about the same time.
 */
async function unsuspend(job: Job, deps: ScanRunDeps): Promise<Job> {
  const { name, namespace, uid } = job.metadata
  const patch = [
    { op: 'test', path: '/metadata/uid', value: uid },
    { op: 'test', path: '/spec/suspend', value: true },
    { op: 'replace', path: '/spec/suspend', value: false },
  ]
  const started = await deps.client.patch(resources.jobs, namespace, name, patch, { type: 'json' })
  deps.caches.jobs.observe(`${namespace}/${name}`, started)
  return started
}

async function takeBack(
  job: Job | undefined,
  connection: string,
  credential: CloneCredential,
  deps: ScanRunDeps,
): Promise<void> {
  await deps.credentials.revoke(connection, credential)
  if (job === undefined) return
  const { name, namespace, uid } = job.metadata
  try {
    const deleted = await deps.client.delete(resources.jobs, namespace, name, { uid, propagationPolicy: 'Background' })
    if (deleted) deps.caches.jobs.forget(`${namespace}/${name}`, uid)
  } catch (error) {
    deps.log.warn({ job: name, err: error }, 'a Job that was not started could not be deleted yet')
  }
}

/** Undefined when it was created. */
async function createCompanion(
  resource: Resource<KubeObject>,
  object: unknown,
  job: Job,
  deps: ScanRunDeps,
): Promise<DispatchOutcome | undefined> {
  const { scanNamespace } = deps.settings
  const { name } = job.metadata
  try {
    await deps.client.create(resource, scanNamespace, object)
    return undefined
  } catch (error) {
    if (!isAlreadyExists(error)) throw error
    const existing = await deps.client.get(resource, scanNamespace, name)
    // What an earlier Job of this name left is about to be collected.
    const isOurs = existing?.metadata.ownerReferences?.some((owner) => owner.kind === 'Job' && owner.name === name)
    return existing !== undefined && !isOurs ? { outcome: 'NameTaken', name } : { outcome: 'Leftover' }
  }
}
