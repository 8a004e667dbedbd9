/**
 * The scan container: waits for the checkout, runs the engines, delivers the result, and ends.
 * `scanfleet-scan local DIR` scans a folder instead and writes the merged SARIF to standard output.
 * Invariant: it ends with exit code 0 only when every enabled engine completed and the result was delivered.
 */
import { podPaths, productNames, type ScanPlan, scanPlanSchema } from '../../operator/scan/contract/plan.ts'
import { type Upload, uploadSchema } from '../../operator/scan/contract/result.ts'
import { sarifLogSchema } from '../../operator/scan/contract/sarif.ts'
import type { Engine } from '../engines/engine.ts'
import { createGitleaks } from '../engines/gitleaks/adapter.ts'
import { createOsvScanner } from '../engines/osv-scanner/adapter.ts'
import { createSemgrep } from '../engines/semgrep/adapter.ts'
import { reportTermination, ScannerFailure, toFailure } from '../shared/failure.ts'
import { readPlan } from '../shared/plan.ts'
import { awaitHandover } from './handover.ts'
import { engineVersions, imagePaths } from './image.ts'
import { type ScanOutcome, type ScanRequest, scan } from './scan.ts'
import { deliver } from './upload.ts'

async function scanTree(checkout: string, plan: ScanRequest['plan'], signal: AbortSignal): Promise<ScanOutcome> {
  const paths = await imagePaths()
  const engines: Engine[] = [createSemgrep(paths), createGitleaks(paths), createOsvScanner(paths)]
  const outcome = await scan({ checkout, engines, versions: await engineVersions(), plan, signal })
  return { ...outcome, sarif: sarifLogSchema.parse(outcome.sarif) }
}

async function scanPod(plan: ScanPlan, signal: AbortSignal): Promise<void> {
  const handover = await awaitHandover(podPaths.handover, plan.limits.handoverTimeoutSeconds, signal)
  if (handover.commit !== plan.commit) {
    throw new ScannerFailure('InternalError', `The clone handed over ${handover.commit} instead of ${plan.commit}.`)
  }
  const { engines, sarif } = await scanTree(podPaths.checkout, plan, signal)
  const { ok: _, commit, ...evidence } = handover
  const upload: Upload = uploadSchema.parse({
    version: 1,
    commit,
    engines,
    evidence: { ...evidence, scanEndedAt: new Date().toISOString() },
    sarif,
  })
  process.stdout.write(`${JSON.stringify({ engines, findings: sarif.runs.map(({ results }) => results.length) })}\n`)
  await deliver(upload, plan.upload, signal)
}

async function scanFolder(folder: string, mode: ScanPlan['semgrep']['mode'], signal: AbortSignal): Promise<void> {
  const plan: ScanRequest['plan'] = {
    products: [...productNames],
    exclude: ['**/node_modules'],
    semgrep: { mode },
    honourSuppressions: false,
    limits: { engineTimeoutSeconds: 1800, handoverTimeoutSeconds: 1 },
  }
  const { engines, sarif } = await scanTree(folder, plan, signal)
  process.stderr.write(`${JSON.stringify({ engines })}\n`)
  process.stdout.write(`${JSON.stringify(sarif, undefined, 2)}\n`)
}

async function main(): Promise<number> {
  const stop = new AbortController()
  // As process 1 the container would ignore the signal otherwise.
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.once(name, () => stop.abort(new ScannerFailure('InternalError', 'The scan was told to end.')))
  }
  try {
    const [command, folder, mode] = process.argv.slice(2)
    if (command === 'local' && folder !== undefined) {
      await scanFolder(folder, mode === '--classic' ? 'Classic' : 'Native', stop.signal)
    } else {
      await scanPod(readPlan(scanPlanSchema, process.env), stop.signal)
    }
    return 0
  } catch (error) {
    return await reportTermination(toFailure(stop.signal.aborted ? stop.signal.reason : error), (text) => text)
  }
}

process.exitCode = await main()
