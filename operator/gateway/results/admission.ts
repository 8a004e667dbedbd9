/**
 * Decides whether an upload may be heard at all, from its address and its token and before a byte of its body is read.
 * The token names the attempt; the document that follows never does.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { ScanRun, ScmRepository } from '../../api/kinds.ts'
import { hasEnded } from '../../scan/outcome.ts'
import { ProblemError } from '../problem.ts'
import type { Runs } from '../runs.ts'
import type { FindingsStore, StoredScan } from '../store/index.ts'

export type Admission =
  /** The attempt has its outcome; this can only be the same upload once more. */
  | { readonly kind: 'Repeated'; readonly scan: StoredScan; readonly tokenDigest: string }
  | {
      readonly kind: 'Open'
      readonly run: ScanRun
      readonly repository: ScmRepository
      readonly tokenDigest: string
    }

export interface AdmissionDeps {
  readonly runs: Runs
  readonly store: FindingsStore
  readonly now: () => Date
  /** How long the status write of the controller may be behind the pod. */
  readonly waitMs: number
}

const unauthorized = { status: 401, reason: 'TokenRefused', detail: 'The token belongs to no scan that runs.' }

export async function admit(
  deps: AdmissionDeps,
  request: { readonly uid: string; readonly attempt: string; readonly authorization: string | undefined },
): Promise<Admission> {
  const token = /^Bearer ([A-Za-z0-9._~+/=-]{16,512})$/.exec(request.authorization ?? '')?.[1]
  const attempt = /^[1-9]\d{0,2}$/.test(request.attempt) ? Number(request.attempt) : 0
  if (token === undefined || attempt === 0 || !/^[A-Za-z0-9-]{1,64}$/.test(request.uid))
    throw new ProblemError(unauthorized)
  const tokenDigest = sha256(token)
  const scan = await deps.store.scan(request.uid, attempt)
  if (scan && sameDigest(tokenDigest, scan.tokenDigest)) return { kind: 'Repeated', scan, tokenDigest }
  const holdsToken = (run: ScanRun) => sameDigest(tokenDigest, run.status?.attempt?.uploadTokenDigest)
  const run = await deps.runs.waitFor(request.uid, (seen) => hasEnded(seen) || holdsToken(seen), deps.waitMs)
  if (!run || !holdsToken(run)) throw new ProblemError(unauthorized)
  if (hasEnded(run)) throw new ProblemError({ status: 410, reason: 'RunEnded', detail: 'The scan has ended already.' })
  const { number, uploadExpirationTime } = run.status?.attempt ?? {}
  if (number !== attempt) throw new ProblemError(unauthorized)
  if (!uploadExpirationTime || new Date(uploadExpirationTime) <= deps.now()) {
    throw new ProblemError({ status: 410, reason: 'TokenExpired', detail: 'The time to hand in the result is over.' })
  }
  const repository = deps.runs.repositoryOf(run)
  if (!repository) {
    throw new ProblemError({ status: 410, reason: 'RepositoryGone', detail: 'The repository of the scan was deleted.' })
  }
  return { kind: 'Open', run, repository, tokenDigest }
}

export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}

function sameDigest(given: string, wanted: string | undefined): boolean {
  if (wanted === undefined || wanted.length !== given.length) return false
  return timingSafeEqual(Buffer.from(given), Buffer.from(wanted))
}
