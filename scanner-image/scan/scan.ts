/**
 * Runs the enabled engines side by side over a work tree and merges what they found. Invariants: all engines completed,
 * or this throws; what a repository asks to hide is hidden only when that is allowed, and counted in any case.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, matchesGlob } from 'node:path'
import type { ScanPlan } from '../../operator/scan/contract/plan.ts'
import { type EngineReport, resultLimits } from '../../operator/scan/contract/result.ts'
import type { SarifLog } from '../../operator/scan/contract/sarif.ts'
import type { Engine, EngineOutcome, EngineRequest, Finding, SourceTree } from '../engines/engine.ts'
import { ScannerFailure, shorten } from '../shared/failure.ts'
import type { EngineVersions } from './image.ts'
import { createMask, toSarifRun } from './sarif.ts'
import { createSourceTree } from './source.ts'

export type ScanRequest = {
  readonly checkout: string
  readonly engines: readonly Engine[]
  readonly versions: EngineVersions
  readonly plan: Pick<ScanPlan, 'products' | 'exclude' | 'semgrep' | 'honourSuppressions' | 'limits'>
  readonly signal: AbortSignal
}

export type ScanOutcome = { readonly engines: EngineReport[]; readonly sarif: SarifLog }

type Completed = { readonly engine: Engine; readonly report: EngineReport; readonly outcome: EngineOutcome }

/** @throws ScannerFailure ScannerIncomplete, EngineFailed, EngineTimedOut, ResultTooLarge */
export async function scan(request: ScanRequest): Promise<ScanOutcome> {
  const enabled = request.engines.filter(({ product }) => request.plan.products.includes(product))
  // One engine's failure is the scan's: the others need not go on.
  const failed = new AbortController()
  const signal = AbortSignal.any([request.signal, failed.signal])
  const completed = await Promise.all(
    enabled.map((engine) =>
      complete(engine, { ...request, signal }).catch((error: unknown) => {
        failed.abort(error)
        throw error
      }),
    ),
  )
  const count = completed.reduce((sum, { outcome }) => sum + outcome.findings.length, 0)
  if (count > resultLimits.findings) {
    throw new ScannerFailure(
      'ResultTooLarge',
      `${count} findings are more than the ${resultLimits.findings} that a result may hold.`,
    )
  }
  const mask = createMask(completed.flatMap(({ outcome }) => outcome.confidential ?? []))
  const source = createSourceTree(request.checkout)
  const runs: SarifLog['runs'] = []
  for (const { engine, report, outcome } of completed) {
    runs.push(await toSarifRun(engine, report.version, outcome, source, mask))
  }
  return { engines: completed.map(({ report }) => report), sarif: { version: '2.1.0', runs } }
}

async function complete(engine: Engine, request: ScanRequest): Promise<Completed> {
  const startedAt = performance.now()
  const { plan } = request
  const dataAsked = engine.readData()
  // Read together with the run that uses it; a failure of either is the failure of the engine.
  dataAsked.catch(() => undefined)
  const scratch = await mkdtemp(join(tmpdir(), `${engine.name}-`))
  try {
    const engineRequest: EngineRequest = {
      checkout: request.checkout,
      scratch,
      timeoutMilliseconds: plan.limits.engineTimeoutSeconds * 1000,
      signal: request.signal,
      mode: plan.semgrep.mode,
      obeyRepository: false,
    }
    const [data, strict] = await Promise.all([dataAsked, engine.run(engineRequest)])
    const inScope = strict.findings.filter(({ path }) => !isExcluded(path, plan.exclude))
    const hidden = await findHidden(engine, engineRequest, inScope, createSourceTree(request.checkout))
    const findings = plan.honourSuppressions ? inScope.filter((finding) => !hidden.has(finding)) : inScope
    return {
      engine,
      outcome: { ...strict, findings },
      report: {
        name: engine.name,
        version: request.versions[engine.name],
        product: engine.product,
        exitCode: strict.exitCode,
        milliseconds: performance.now() - startedAt,
        rulesDigest: data.digest,
        ...(data.date && { rulesDate: data.date.toISOString() }),
        suppressed: hidden.size,
        ...(strict.notice !== undefined && { notice: shorten(strict.notice, 500) }),
      },
    }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/** The findings that the repository asks to hide: those that the engine leaves out when it may obey. */
async function findHidden(
  engine: Engine,
  request: EngineRequest,
  findings: readonly Finding[],
  source: SourceTree,
): Promise<ReadonlySet<Finding>> {
  if (findings.length === 0 || !(await engine.mayBeSuppressed(findings, source))) return new Set()
  let obeying: EngineOutcome
  try {
    obeying = await engine.run({ ...request, obeyRepository: true })
  } catch (error) {
    // A configuration of the repository that breaks the engine hides nothing.
    if (error instanceof ScannerFailure && !request.signal.aborted) return new Set()
    throw error
  }
  const shown = new Set(obeying.findings.map(placeOf))
  return new Set(findings.filter((finding) => !shown.has(placeOf(finding))))
}

function placeOf({ ruleId, path, region, identity }: Finding): string {
  return JSON.stringify([ruleId, path, region.startLine, identity])
}

/** A pattern names files, or a folder with all that lies in it. `.git` is never part of a work tree. */
export function isExcluded(path: string, patterns: readonly string[]): boolean {
  if (path.startsWith('.git/')) return true
  return patterns.some((pattern) => matchesGlob(path, pattern) || matchesGlob(path, `${pattern.replace(/\/$/, '')}/**`))
}
