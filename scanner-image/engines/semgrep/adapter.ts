/**
 * Semgrep: findings in code. Native mode runs the engine's own binary, without Python; when it fails, or when the plan
 * says so, the classic command runs instead. Invariants: only the image's rules are used, nothing is asked of the
 * network, and a rule that cannot be read fails the scan.
 */
import { z } from 'zod'
import type { Severity } from '../../../operator/scan/contract/result.ts'
import { digestFolder } from '../../shared/digest.ts'
import { ScannerFailure, shorten } from '../../shared/failure.ts'
import { printable } from '../../shared/printable.ts'
import type { ProcessResult } from '../../shared/process.ts'
import type { Engine, EngineOutcome, EngineRequest, Finding, ImagePaths, Rule, SourceTree } from '../engine.ts'
import { engineFailed, runEngine } from '../environment.ts'

const position = z.object({ line: z.int().min(1), col: z.int().min(1) })

const reportSchema = z.object({
  results: z.array(
    z.object({
      check_id: z.string(),
      path: z.string(),
      start: position,
      end: position,
      extra: z.object({
        message: z.string(),
        severity: z.string(),
        metadata: z
          .object({
            cwe: z.union([z.string(), z.array(z.string())]).optional(),
            references: z.array(z.string()).optional(),
            // Set by rules that match credentials, so that their source text stays in the pod.
            confidential: z.boolean().optional(),
          })
          .optional(),
      }),
    }),
  ),
  errors: z.array(
    z.object({
      level: z.string(),
      message: z.string().optional(),
      rule_id: z.string().nullish(),
      path: z.string().nullish(),
    }),
  ),
})

type Report = z.output<typeof reportSchema>

const severities: Readonly<Record<string, Severity>> = {
  CRITICAL: 'Critical',
  HIGH: 'High',
  ERROR: 'High',
  MEDIUM: 'Medium',
  WARNING: 'Medium',
  LOW: 'Low',
  INFO: 'Low',
}

const quiet = {
  SEMGREP_SEND_METRICS: 'off',
  SEMGREP_ENABLE_VERSION_CHECK: '0',
  SEMGREP_SETTINGS_FILE: '/dev/null',
} as const

/** `paths.rules` holds one folder per language. */
export function createSemgrep(paths: ImagePaths): Engine {
  return {
    name: 'semgrep',
    product: 'Code',
    informationUri: 'https://semgrep.dev',
    readData: () => readRules(paths.rules),
    run: (request) => run(paths, request),
    mayBeSuppressed,
  }
}

async function readRules(folder: string): Promise<{ digest: string }> {
  const { digest, files } = await digestFolder(folder, isRuleFile)
  if (files.length === 0) throw new ScannerFailure('ScannerIncomplete', `There are no Semgrep rules in ${folder}.`)
  return { digest }
}

function isRuleFile(path: string): boolean {
  return path.endsWith('.yaml') && !path.endsWith('.test.yaml')
}

async function run(paths: ImagePaths, request: EngineRequest): Promise<EngineOutcome> {
  if (request.mode === 'Classic') return await runClassic(paths, request)
  try {
    const result = await runEngine(
      'semgrep',
      request,
      paths.semgrepCore,
      ['scan', '--experimental', ...options(paths, request)],
      quiet,
    )
    return readReport(result)
  } catch (error) {
    if (!(error instanceof ScannerFailure) || error.reason !== 'EngineFailed') throw error
    const outcome = await runClassic(paths, request)
    return { ...outcome, notice: join(outcome.notice, `classic mode, since native failed: ${error.message}`) }
  }
}

async function runClassic(paths: ImagePaths, request: EngineRequest): Promise<EngineOutcome> {
  const args = ['-m', 'semgrep.console_scripts.pysemgrep', 'scan', ...options(paths, request)]
  const variables = { ...quiet, PYTHONPATH: paths.semgrepPython, PYTHONDONTWRITEBYTECODE: '1' }
  return readReport(await runEngine('semgrep', request, 'python3', args, variables))
}

function options(paths: ImagePaths, request: EngineRequest): string[] {
  return [
    '--config',
    paths.rules,
    '--json',
    '--quiet',
    '--metrics',
    'off',
    '--disable-version-check',
    // Files that git tracks are part of the repository, whatever its .gitignore says.
    '--no-git-ignore',
    ...(request.obeyRepository ? [] : ['--disable-nosem', '--x-ignore-semgrepignore-files']),
    '--timeout',
    '30',
    '.',
  ]
}

function readReport(result: ProcessResult): EngineOutcome {
  const parsed = reportSchema.safeParse(parseJson(result.stdout))
  if (!parsed.success) throw engineFailed('semgrep', result)
  const report = parsed.data
  const broken = report.errors.find(({ level, rule_id, path }) => level === 'error' && rule_id != null && path == null)
  // 7: no rule could be loaded at all.
  if (broken !== undefined || result.exitCode === 7) {
    const words = [broken?.message ?? report.errors[0]?.message ?? 'no rule could be loaded']
    throw new ScannerFailure(
      'ScannerIncomplete',
      `A Semgrep rule cannot be read: ${shorten(printable(words.join(' ')), 500)}`,
    )
  }
  if (result.exitCode !== 0) throw engineFailed('semgrep', result)
  const partial = new Set(report.errors.map(({ path }) => path).filter((path) => path != null))
  return {
    exitCode: result.exitCode,
    findings: report.results.map(toFinding),
    rules: toRules(report),
    ...(partial.size > 0 && { notice: `${partial.size} files could be analysed only in part` }),
  }
}

function parseJson(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString('utf8'))
  } catch {
    return undefined
  }
}

function toFinding(result: Report['results'][number]): Finding {
  return {
    ruleId: shortId(result.check_id),
    severity: severities[result.extra.severity.toUpperCase()] ?? 'Medium',
    message: result.extra.message.trim(),
    path: result.path.replace(/^\.\//, ''),
    region: {
      startLine: result.start.line,
      startColumn: result.start.col,
      endLine: result.end.line,
      endColumn: result.end.col,
    },
    showSource: result.extra.metadata?.confidential !== true,
    cwe: weaknesses(result.extra.metadata?.cwe),
  }
}

function toRules(report: Report): Rule[] {
  const rules = new Map<string, Rule>()
  for (const { check_id, extra } of report.results) {
    const id = shortId(check_id)
    const helpUri = extra.metadata?.references?.find((reference) => reference.startsWith('https://'))
    const tags = weaknesses(extra.metadata?.cwe)
    rules.set(id, { id, description: extra.message.trim(), tags, ...(helpUri !== undefined && { helpUri }) })
  }
  return [...rules.values()]
}

/** Semgrep puts the folder of a rule before its id, `opt.scanfleet.rules.python.…`; ids of ours are unique by themselves. */
function shortId(id: string): string {
  return id.slice(id.lastIndexOf('.') + 1)
}

function weaknesses(cwe: string | string[] | undefined): string[] {
  const texts = cwe === undefined ? [] : typeof cwe === 'string' ? [cwe] : cwe
  return texts.map((text) => /CWE-\d{1,5}/.exec(text)?.[0]).filter((id) => id !== undefined)
}

async function mayBeSuppressed(findings: readonly Finding[], source: SourceTree): Promise<boolean> {
  for (const { path, region } of findings) {
    const lines = await source.lines(path, Math.max(1, region.startLine - 1), region.endLine ?? region.startLine)
    if (lines?.some((line) => /nosem/i.test(line))) return true
  }
  const folders = new Set(findings.flatMap(({ path }) => foldersOf(path)))
  for (const folder of folders) if (await source.has(`${folder}.semgrepignore`)) return true
  return false
}

/** `a/b/c.py` lies in `a/b/`, `a/` and the root, which is the empty text. */
function foldersOf(path: string): string[] {
  const names = path.split('/').slice(0, -1)
  return ['', ...names.map((_, index) => `${names.slice(0, index + 1).join('/')}/`)]
}

function join(first: string | undefined, second: string): string {
  return first === undefined ? second : `${first}; ${second}`
}
