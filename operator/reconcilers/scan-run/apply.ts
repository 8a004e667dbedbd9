/** Carries out the actions that `decide` chose. Every one may be repeated without harm. */
import { conditionTypes } from '../../api/conditions.ts'
import type { ScanRun } from '../../api/kinds.ts'
import { apiVersion, fieldManagers } from '../../api/names.ts'
import { isTrue, timestamp } from '../../kube/conditions.ts'
import { isInvalid } from '../../kube/errors.ts'
import type { ReconcileResult } from '../../kube/queue.ts'
import { resources } from '../../kube/resources.ts'
import { attemptName, factsOf } from '../../scan/attempt.ts'
import { phaseSeconds } from '../../scan/phases.ts'
import { ScmError } from '../../scm/types.ts'
import type { Action } from './decide.ts'
import { dispatch } from './dispatch.ts'
import type { ScanRunDeps } from './index.ts'
import type { Snapshot } from './observe.ts'
import { failedStatus, finishedStatus, runningStatus, waitingStatus } from './status.ts'

/** How long a run waits for a code host that does not say itself when to come back. */
const codeHostPauseMs = 30_000
/** How long a run waits when something else kept it from being started. */
const startPauseMs = 5000

export async function apply(
  actions: readonly Action[],
  snapshot: Snapshot,
  deps: ScanRunDeps,
  signal: AbortSignal,
): Promise<ReconcileResult | undefined> {
  let result: ReconcileResult | undefined
  for (const action of actions) result = (await perform(action, snapshot, deps, signal)) ?? result
  return result
}

async function perform(
  action: Action,
  snapshot: Snapshot,
  deps: ScanRunDeps,
  signal: AbortSignal,
): Promise<ReconcileResult | undefined> {
  const { run, key } = snapshot
  switch (action.type) {
    case 'requestAdmission':
      deps.gate.request(action.candidate)
      return
    case 'withdraw':
      deps.gate.withdraw(key)
      return
    case 'requeue':
      return { requeueAfterMs: action.afterMs }
    case 'releaseCredential':
      await deps.credentials.release(action.job)
      return
    case 'deleteJob': {
      const { name, namespace, uid } = action.job.metadata
      await deps.client.delete(resources.jobs, namespace, name, { uid, propagationPolicy: 'Background' })
      return
    }
    case 'discardJob':
      await deps.credentials.discard(action.job)
      return
    case 'dispatch':
      return start(snapshot, deps, signal)
    case 'writeWaiting':
      if (run) await writeWaiting(run, action.reason, action.message, deps)
      return
    case 'writeRunning':
      if (run) await writeRunning(run, snapshot, action, deps)
      return
    case 'fail':
      if (run) await fail(run, action.reason, action.message, deps)
      return
    case 'failIfJobGone': {
      if (!run) return
      const name = attemptName(run.metadata.uid, run.status?.attempt?.number ?? 1)
      const job = await deps.client.get(resources.jobs, deps.settings.scanNamespace, name)
      if (job !== undefined && factsOf(job)?.runUid === run.metadata.uid) return { requeueAfterMs: 1000 }
      await fail(run, 'JobLost', 'The Job was deleted before a result came.', deps)
      return
    }
    case 'finish':
      if (run) await finish(run, snapshot, deps)
      return
    default:
      return action satisfies never
  }
}

async function start(snapshot: Snapshot, deps: ScanRunDeps, signal: AbortSignal): Promise<ReconcileResult | undefined> {
  const { run, managedScan, repository, connection, key } = snapshot
  if (!run || !managedScan || !repository || !connection) return
  try {
    const result = await dispatch({ run, managedScan, repository, connection }, deps, signal)
    if (result.outcome === 'Leftover') return { requeueAfterMs: 500 }
    deps.gate.withdraw(key)
    if (result.outcome === 'Refused') {
      await fail(run, 'PodRefused', `The cluster refuses the Job of this scan: ${result.message}`, deps)
      return
    }
    if (result.outcome === 'NameTaken') {
      await fail(
        run,
        'NameTaken',
        `An object that is not ours is called ${result.name} in ${deps.settings.scanNamespace}.`,
        deps,
      )
      return
    }
    deps.metrics.scansStarted.inc({ reason: run.spec.reason })
    await writeRunning(run, snapshot, result, deps)
    return
  } catch (error) {
    // The place is free for others while this one waits for its code host or for the API server.
    deps.gate.withdraw(key)
    if (!(error instanceof ScmError)) {
      // Asking for admission again succeeds, so the queue alone would not slow this down, and every try mints a credential.
      deps.log.error({ run: key, err: error }, 'a scan could not be started and is tried again')
      return { requeueAfterMs: startPauseMs }
    }
    if (error.subject !== undefined) {
      await fail(run, error.subject, error.message, deps)
      return
    }
    // What refuses one run will refuse the others: the connection is tested, and if it is at fault they all wait for it.
    deps.suspect(`${connection.metadata.namespace}/${connection.metadata.name}`)
    await writeWaiting(run, 'CodeHostBusy', error.message, deps)
    const pause = error.retryAt ? error.retryAt.getTime() - deps.now().getTime() : codeHostPauseMs
    return { requeueAfterMs: Math.max(1000, pause) }
  }
}

type Started = Pick<Extract<Action, { type: 'writeRunning' }>, 'facts' | 'job'>

async function writeRunning(
  run: ScanRun,
  { managedScan }: Snapshot,
  { facts, job }: Started,
  deps: ScanRunDeps,
): Promise<void> {
  const policy = managedScan?.spec.policy ?? []
  await write(run, runningStatus(run, facts, policy, job.metadata.name, deps.now()), deps)
}

async function writeWaiting(
  run: ScanRun,
  reason: Parameters<typeof waitingStatus>[1],
  message: string,
  deps: ScanRunDeps,
): Promise<void> {
  const ready = run.status?.conditions?.find(({ type }) => type === conditionTypes.Ready)
  if (ready?.reason === reason && ready.message === message) return
  await write(run, waitingStatus(run, reason, deps.redactor.redact(message), deps.now()), deps)
}

async function fail(
  run: ScanRun,
  reason: Parameters<typeof failedStatus>[1],
  text: string,
  deps: ScanRunDeps,
): Promise<void> {
  const message = deps.redactor.redact(text)
  try {
    await write(run, failedStatus(run, reason, message, deps.now()), deps)
  } catch (error) {
    // The API refuses a second end: the gateway was quicker, and its word stands.
    if (isInvalid(error)) return deps.log.info({ run: run.metadata.name }, 'the run has ended already')
    throw error
  }
  deps.metrics.scansFailed.inc({ reason })
  const { name, namespace, uid } = run.metadata
  deps.events.event({ apiVersion, kind: 'ScanRun', name, namespace, uid }, 'Warning', reason, message)
}

async function finish(run: ScanRun, { repository, connection }: Snapshot, deps: ScanRunDeps): Promise<void> {
  const completed = isTrue(run.status?.conditions, conditionTypes.Complete)
  if (completed && repository) await recordOnRepository(run, repository, deps)
  const times = deps.credentials.takeTimes(run.metadata.uid)
  await write(run, finishedStatus(run, times, deps.now()), deps)
  if (completed) {
    deps.metrics.scansCompleted.inc({ verdict: run.status?.result?.verdict ?? 'Clean' })
    for (const { phase, seconds } of phaseSeconds(run)) deps.metrics.scanPhaseSeconds.observe({ phase }, seconds)
  }
  deps.log.info(
    {
      run: `${run.metadata.namespace}/${run.metadata.name}`,
      repository: run.status?.repository,
      connection: connection?.metadata.name,
      completed,
    },
    'scan is over and its pod is gone',
  )
}

/** The newest result of the branch that is followed becomes the repository's. */
async function recordOnRepository(
  run: ScanRun,
  repository: NonNullable<Snapshot['repository']>,
  deps: ScanRunDeps,
): Promise<void> {
  const { result, completionTime, commit, branch } = run.status ?? {}
  const followed = branch !== undefined && branch === repository.spec.defaultBranch && run.spec.commit === undefined
  if (!result || !completionTime || !followed) return
  const last = repository.status?.lastScan
  if (last?.time !== undefined && last.time > completionTime) return
  const { name, namespace } = repository.metadata
  const { new: _new, known: _known, fixed: _fixed, reopened: _reopened, ...findings } = result.findings ?? {}
  const status = {
    lastScan: {
      scanRun: run.metadata.name,
      commit,
      time: timestamp(new Date(completionTime)),
      verdict: result.verdict,
      findings,
    },
  }
  const object = { apiVersion, kind: 'ScmRepository', metadata: { name, namespace }, status }
  const written = await deps.client.apply(resources.scmRepositories, namespace, object, {
    fieldManager: fieldManagers.scanRun,
    subresource: 'status',
  })
  deps.caches.repositories.observe(`${namespace}/${name}`, written)
}

/** Conflict when the run is not as it was when this was decided: a paused leader must not end what others carried on. */
async function write(run: ScanRun, status: object, deps: ScanRunDeps): Promise<void> {
  const { name, namespace, uid, resourceVersion } = run.metadata
  const object = { apiVersion, kind: 'ScanRun', metadata: { name, namespace, uid, resourceVersion }, status }
  const written = await deps.client.apply(resources.scanRuns, namespace, object, {
    fieldManager: fieldManagers.scanRun,
    subresource: 'status',
  })
  deps.caches.scanRuns.observe(`${namespace}/${name}`, written)
}
