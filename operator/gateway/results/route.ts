/**
 * `POST /api/v1/scans/:uid/:attempt/result`: verify, bound, then parse. Invariant: an attempt gets one outcome. The first
 * upload that the store takes wins; the same bytes again are answered alike, others are refused; and a result that can
 * never be accepted becomes an outcome too, so that its scan fails and is never clean.
 */
import { type Request, type Response, Router } from 'express'
import type { Logger } from 'pino'
import { resultLimits } from '../../scan/contract/result.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import { ProblemError, problemBody, writeProblemHead } from '../problem.ts'
import type { Publisher } from '../publish/publisher.ts'
import type { UploadIdentity } from '../store/accept.ts'
import { type Admission, type AdmissionDeps, admit, sha256 } from './admission.ts'
import { BodyError, discardBody, readBody } from './body.ts'
import { type ByteLease, createByteBudget } from './byte-budget.ts'
import { checkAgainstAttempt, ResultRefused } from './document.ts'
import type { ResultParser } from './parser.ts'

export interface ResultLimits {
  /** Uploads that may wait for their run or be read at once, in all and from one address; more are asked to come again. */
  readonly concurrentUploads: number
  readonly concurrentUploadsOfAddress: number
  /** How long one body may take. */
  readonly bodyTimeoutMs: number
  /** How long a token may be ahead of the status that knows it. */
  readonly tokenWaitMs: number
}

export const standardResultLimits: ResultLimits = {
  concurrentUploads: 256,
  concurrentUploadsOfAddress: 16,
  bodyTimeoutMs: 60_000,
  tokenWaitMs: 10_000,
}

export interface ResultsDeps extends Omit<AdmissionDeps, 'waitMs'> {
  readonly parser: ResultParser
  readonly publisher: Publisher
  readonly limits: ResultLimits
  readonly log: Logger
  readonly metrics: Metrics
}

const busy = {
  status: 503,
  reason: 'Busy',
  detail: 'Too many results are being handed in; come again.',
  retryAfterSeconds: 2,
}

type OpenAdmission = Extract<Admission, { kind: 'Open' }>
type UndecidedUpload = Omit<UploadIdentity, 'decidedAt'>

/** What is still read of a body that will be refused, so that the client gets to read the answer. */
const discardLimits = { bytes: resultLimits.compressedBytes, timeoutMs: 5_000 }

export function createResultsRouter(deps: ResultsDeps): Router {
  const { store, metrics, log } = deps
  const memory = createByteBudget({ own: 128 * 1024, common: 2 * resultLimits.compressedBytes })
  const places = createPlaces(deps.limits)

  async function receive(request: Request, response: Response): Promise<void> {
    const leave = places.enter(request.socket.remoteAddress ?? '')
    if (!leave) return refuse(request, response, new ProblemError(busy))
    const lease = memory.open()
    try {
      await take(request, lease)
      response.json({ outcome: 'Accepted' })
    } catch (error) {
      await refuse(request, response, error)
    } finally {
      lease.release()
      leave()
    }
  }

  /** Returns when the result is in the store. */
  async function take(request: Request, lease: ByteLease): Promise<void> {
    const { uid, attempt } = request.params as { uid: string; attempt: string }
    const { authorization } = request.headers
    const admission = await admit({ ...deps, waitMs: deps.limits.tokenWaitMs }, { uid, attempt, authorization })
    const limits = { bytes: resultLimits.compressedBytes, timeoutMs: deps.limits.bodyTimeoutMs }
    if (admission.kind === 'Repeated') {
      return answerRepeated(
        admission.scan.bodyDigest,
        admission.scan.summary.outcome,
        sha256(await readBody(request, lease, limits)),
      )
    }
    const { run, tokenDigest } = admission
    const { uid: runUid, namespace, name: runName } = run.metadata
    const identity = { runUid, attempt: Number(attempt), namespace, runName, tokenDigest }
    let bodyDigest = ''
    try {
      const body = await readBody(request, lease, limits)
      bodyDigest = sha256(body)
      await accept(admission, { ...identity, bodyDigest }, body)
    } catch (error) {
      const refused = asRefusal(error)
      if (!refused) throw error
      await recordRefusal({ ...identity, bodyDigest, decidedAt: deps.now().toISOString() }, refused)
    }
  }

  async function accept({ run, repository }: OpenAdmission, upload: UndecidedUpload, body: Buffer): Promise<void> {
    const { commit, branch, attempt, startTime } = run.status ?? {}
    const products = attempt?.products ?? []
    const document = await deps.parser.parse(body)
    checkAgainstAttempt(document, { commit, products })
    const identity = { ...upload, decidedAt: deps.now().toISOString() }
    const { id: externalId, fullName, connectionRef, defaultBranch } = repository.spec
    const end = metrics.storeSeconds.startTimer({ operation: 'accept' })
    const first = await store.accept({
      ...identity,
      repository: { connection: connectionRef.name, externalId, name: repository.metadata.name, fullName },
      branch,
      followed: branch !== undefined && branch === defaultBranch && run.spec.commit === undefined,
      startedAt: startTime ?? run.metadata.creationTimestamp,
      products,
      policy: attempt?.policy ?? [],
      document,
    })
    end()
    if (!first) return answerLater(identity)
    const { namespace, runName: scanRun } = identity
    metrics.uploadsAccepted.inc()
    log.info({ namespace, scanRun, attempt: identity.attempt, findings: document.findings.length }, 'result accepted')
    deps.publisher.add(identity.runUid, identity.attempt)
  }

  async function recordRefusal(identity: UploadIdentity, refused: ResultRefused): Promise<void> {
    const { reason, message } = refused
    if (!(await store.refuse({ ...identity, reason, message }))) return answerLater(identity)
    const { namespace, runName: scanRun, attempt } = identity
    log.warn({ namespace, scanRun, attempt, reason }, 'result refused')
    deps.publisher.add(identity.runUid, identity.attempt)
    const status = reason === 'TooLarge' ? 413 : 422
    throw new ProblemError({ status, reason, detail: message }, { cause: refused })
  }

  /** Another upload of the same attempt was quicker. */
  async function answerLater({ runUid, attempt, bodyDigest }: UploadIdentity): Promise<void> {
    const scan = await store.scan(runUid, attempt)
    if (!scan) throw new Error('an attempt with an outcome is not in the store')
    answerRepeated(scan.bodyDigest, scan.summary.outcome, bodyDigest)
  }

  async function refuse(request: Request, response: Response, error: unknown): Promise<void> {
    if (error instanceof BodyError && error.failure === 'Aborted') return
    const problem = problemOf(error)
    metrics.uploadsRefused.inc({ reason: problem.reason })
    if (problem.status >= 500) log.error({ err: error, reason: problem.reason }, 'result could not be taken')
    // The whole answer goes out while the client may still be sending; only then is the connection given up.
    const body = problemBody(problem)
    writeProblemHead(response, problem)
      .setHeader('content-length', Buffer.byteLength(body))
      .setHeader('connection', 'close')
    response.write(body)
    await discardBody(request, discardLimits)
    response.end()
  }

  return Router({ caseSensitive: true, strict: true }).post('/api/v1/scans/:uid/:attempt/result', receive)
}

/** Counts who is inside, so that one pod cannot take the places of all others. */
function createPlaces(limits: ResultLimits): { enter(address: string): (() => void) | undefined } {
  const inside = new Map<string, number>()
  let all = 0
  return {
    enter(address) {
      const own = inside.get(address) ?? 0
      if (all >= limits.concurrentUploads || own >= limits.concurrentUploadsOfAddress) return undefined
      all += 1
      inside.set(address, own + 1)
      return () => {
        all -= 1
        const left = (inside.get(address) ?? 1) - 1
        if (left === 0) inside.delete(address)
        else inside.set(address, left)
      }
    },
  }
}

/** The same upload again gets the same answer as the first time. */
function answerRepeated(stored: string, outcome: 'Accepted' | 'Refused', given: string): void {
  if (outcome === 'Refused') {
    throw new ProblemError({ status: 422, reason: 'RefusedBefore', detail: 'The result of this attempt was refused.' })
  }
  if (stored === given) return
  throw new ProblemError({ status: 409, reason: 'OtherResult', detail: 'This attempt has handed in another result.' })
}

function asRefusal(error: unknown): ResultRefused | undefined {
  if (error instanceof ResultRefused) return error
  if (error instanceof BodyError && error.failure === 'TooLarge') {
    return new ResultRefused('TooLarge', 'The result is larger than is accepted.', { cause: error })
  }
  return undefined
}

function problemOf(error: unknown) {
  if (error instanceof ProblemError) return error.problem
  if (error instanceof BodyError && error.failure === 'NoRoom') return busy
  if (error instanceof BodyError && error.failure === 'TooSlow') {
    // Not a property of the result: it may be delivered again.
    return {
      status: 503,
      reason: 'TooSlow',
      detail: 'The result arrived too slowly; send it again.',
      retryAfterSeconds: 1,
    }
  }
  return {
    status: 503,
    reason: 'Unavailable',
    detail: 'The result could not be stored; send it again.',
    retryAfterSeconds: 2,
  }
}
