/**
 * The clone container: proves the fence, fetches one commit, checks it out, hands it over to `scan`, and ends.
 * Invariant: it always leaves a handover behind, so `scan` never waits for nothing, and the token is not opened before
 * the fence was proven.
 */
import { readFile, rename, writeFile } from 'node:fs/promises'
import { type ClonePlan, clonePlanSchema, type Handover, podPaths } from '../../operator/scan/contract/plan.ts'
import { reportTermination, ScannerFailure, shorten, toFailure } from '../shared/failure.ts'
import { readPlan } from '../shared/plan.ts'
import { checkOut, countLfsPointers } from './checkout.ts'
import { proveFence } from './fence.ts'
import { fetchCommit } from './fetch.ts'
import { createGit } from './git.ts'
import { createRedactor } from './redact.ts'
import { readTree } from './tree.ts'

const credentialHelper = '/usr/local/libexec/scanfleet-credential-helper'

type Redact = (text: string) => string

async function clone(plan: ClonePlan, learnRedactor: (redact: Redact) => void, signal: AbortSignal): Promise<Handover> {
  const fenceProvenAt = plan.fence.enforced ? await proveFence(plan.fence, signal) : undefined
  const startedAt = new Date()
  const deadline = performance.now() + plan.limits.timeoutSeconds * 1000
  const timeLeft = (): number => Math.max(1, deadline - performance.now())

  const token = (await readFile(plan.tokenFile, 'utf8')).trimEnd()
  const redact = createRedactor(plan.username, token)
  learnRedactor(redact)
  const git = createGit(
    {
      gitDirectory: podPaths.gitDir,
      url: plan.url,
      username: plan.username,
      tokenFile: token === '' ? undefined : plan.tokenFile,
      caFile: plan.caFile,
      credentialHelper,
    },
    plan.commit.length === 64 ? 'sha256' : 'sha1',
  )
  await fetchCommit({ git, gitDirectory: podPaths.gitDir, plan, redact, timeLeft, signal })
  const tree = await readTree(git, plan.commit, plan.limits, timeLeft(), signal)
  await checkOut(git, plan.commit, tree, podPaths.checkout, timeLeft(), signal)
  const lfsPointers = await countLfsPointers(podPaths.checkout, tree.pointerCandidates)
  return {
    ok: true,
    commit: plan.commit,
    files: tree.paths.length,
    bytes: tree.bytes,
    ...(fenceProvenAt && { fenceProvenAt: fenceProvenAt.toISOString() }),
    cloneStartedAt: startedAt.toISOString(),
    cloneEndedAt: new Date().toISOString(),
    skipped: { submodules: tree.submodules, lfsPointers, symlinks: tree.symlinks },
  }
}

async function handOver(handover: Handover): Promise<void> {
  const draft = `${podPaths.handover}.draft`
  await writeFile(draft, JSON.stringify(handover))
  await rename(draft, podPaths.handover)
}

async function main(): Promise<number> {
  const stop = new AbortController()
  // As process 1 the container would ignore the signal otherwise.
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.once(name, () => stop.abort(new ScannerFailure('CloneFailed', 'The clone was told to end.')))
  }
  let redact: Redact = (text) => text
  try {
    const plan = readPlan(clonePlanSchema, process.env)
    const handover = await clone(
      plan,
      (known) => {
        redact = known
      },
      stop.signal,
    )
    await handOver(handover)
    process.stdout.write(`${JSON.stringify(handover)}\n`)
    return 0
  } catch (error) {
    const failure = toFailure(stop.signal.aborted ? stop.signal.reason : error)
    const message = shorten(redact(failure.message), 2000)
    await handOver({ ok: false, reason: failure.reason, message }).catch(() => undefined)
    return await reportTermination(failure, redact)
  }
}

process.exitCode = await main()
