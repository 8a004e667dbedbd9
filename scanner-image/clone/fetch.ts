/**
 * Brings exactly one commit, without history, into an object database of its own. Invariants: what was fetched is the
 * commit that was asked for; a pack that outgrows the limit is stopped while it arrives; the database keeps neither a
 * remote nor a URL.
 */
import { mkdir, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClonePlan } from '../../operator/scan/contract/plan.ts'
import { ScannerFailure } from '../shared/failure.ts'
import { classifyGitFailure, mayBeFreshToken } from './failure.ts'
import type { Git } from './git.ts'

export type FetchRequest = {
  readonly git: Git
  readonly gitDirectory: string
  readonly plan: ClonePlan
  readonly redact: (text: string) => string
  /** Milliseconds that are left; asked before each step. */
  readonly timeLeft: () => number
  readonly signal: AbortSignal
}

/** Seconds between tries with one and the same fresh credential. */
const freshTokenDelays = [1, 2, 4] as const

/** What a pack may hold beyond the blobs: trees, the commit, and blobs that do not compress. */
const packSlackBytes = 64 * 1024 * 1024

/** @throws ScannerFailure CommitNotFound, CloneRefused, RepositoryTooLarge, RepositoryUnsafe … */
export async function fetchCommit(request: FetchRequest): Promise<void> {
  const { git, plan, timeLeft, signal } = request
  await mkdir(request.gitDirectory, { recursive: true })
  const format = plan.commit.length === 64 ? 'sha256' : 'sha1'
  const init = await git(
    ['init', '--quiet', '--bare', '--template=', `--object-format=${format}`, request.gitDirectory],
    {
      timeoutMilliseconds: timeLeft(),
      signal,
    },
  )
  if (init.exitCode !== 0) throw toFailure(request, init.stderr)

  let failure = await tryFetch(request, plan.commit)
  for (const delay of freshTokenDelays) {
    if (failure === undefined || !mayBeFreshToken(failure) || timeLeft() < delay * 1000) break
    await sleep(delay * 1000, undefined, { signal })
    failure = await tryFetch(request, plan.commit)
  }
  // Some hosts serve only what a branch or tag points to.
  if (failure?.reason === 'CommitNotFound' && plan.ref !== undefined) failure = await tryFetch(request, plan.ref)
  if (failure?.reason === 'CommitNotFound') throw await describeMissing(request, failure)
  if (failure !== undefined) throw failure

  const found = await git(['cat-file', '-t', plan.commit], { timeoutMilliseconds: timeLeft(), signal })
  if (found.stdout.toString().trim() === 'commit') return
  throw await describeMissing(
    request,
    new ScannerFailure('CommitNotFound', `${plan.ref ?? 'The repository'} does not point to ${plan.commit} any more.`),
  )
}

/** One fetch; its failure, or undefined. */
async function tryFetch(request: FetchRequest, what: string): Promise<ScannerFailure | undefined> {
  const { git, plan, timeLeft } = request
  const limit = plan.limits.treeBytes + packSlackBytes
  const tooLarge = new AbortController()
  const watch = watchSize(join(request.gitDirectory, 'objects'), limit, tooLarge)
  const result = await git(
    [
      'fetch',
      '--quiet',
      '--depth=1',
      '--no-tags',
      '--no-recurse-submodules',
      '--no-write-fetch-head',
      '--no-auto-maintenance',
      plan.url,
      what,
    ],
    { timeoutMilliseconds: timeLeft(), signal: AbortSignal.any([request.signal, tooLarge.signal]) },
  ).finally(() => clearInterval(watch))
  request.signal.throwIfAborted()
  if (tooLarge.signal.aborted) {
    return new ScannerFailure('RepositoryTooLarge', `The host sent more than ${limit} bytes for one commit.`)
  }
  if (result.ended === 'timeout') {
    return new ScannerFailure('CloneFailed', `The fetch took longer than ${plan.limits.timeoutSeconds} s.`)
  }
  return result.exitCode === 0 ? undefined : toFailure(request, result.stderr)
}

function toFailure(request: FetchRequest, stderr: string): ScannerFailure {
  const { reason, message } = classifyGitFailure(request.redact(stderr))
  return new ScannerFailure(reason, message)
}

/** Says whether the repository lacks the commit or has none at all: people act differently on the two. */
async function describeMissing(request: FetchRequest, failure: ScannerFailure): Promise<ScannerFailure> {
  const listing = await request.git(['ls-remote', '--quiet', request.plan.url], {
    timeoutMilliseconds: request.timeLeft(),
    signal: request.signal,
    // One line is enough to know.
    onOutput: () => false,
  })
  const isEmpty = listing.exitCode === 0 && listing.ended === undefined
  return isEmpty ? new ScannerFailure('CommitNotFound', 'The repository is empty: it has no commit.') : failure
}

function watchSize(directory: string, limit: number, tooLarge: AbortController): NodeJS.Timeout {
  return setInterval(async () => {
    const size = await sizeOf(directory).catch(() => 0)
    if (size > limit) tooLarge.abort()
  }, 200)
}

async function sizeOf(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const sizes = entries
    .filter((entry) => entry.isFile())
    .map((entry) =>
      stat(join(entry.parentPath, entry.name)).then(
        ({ size }) => size,
        () => 0,
      ),
    )
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}
