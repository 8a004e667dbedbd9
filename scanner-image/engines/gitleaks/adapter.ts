/**
 * gitleaks: secrets in files. Invariants: its report goes through a pipe and never to a disk; a value leaves this
 * module only as a salted digest and a masked preview, or as `confidential`, which is what texts are masked with.
 */
import { createHash, randomUUID } from 'node:crypto'
import { lstat, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import type { Severity } from '../../../operator/scan/contract/result.ts'
import { digestFolder } from '../../shared/digest.ts'
import { ScannerFailure } from '../../shared/failure.ts'
import type { Engine, EngineOutcome, EngineRequest, Finding, ImagePaths, SourceTree } from '../engine.ts'
import { engineFailed, runEngine } from '../environment.ts'

const leaksFound = 42

const reportSchema = z.array(
  z.object({
    RuleID: z.string(),
    Description: z.string(),
    StartLine: z.int(),
    EndLine: z.int(),
    StartColumn: z.int(),
    EndColumn: z.int(),
    Secret: z.string(),
    File: z.string(),
  }),
)

type Leak = z.output<typeof reportSchema>[number]

/** Rules whose values open an account by themselves. Guesses by entropy alone are `Medium`, everything else `High`. */
const critical =
  /^(private-key|aws-|gcp-|azure-|github-(pat|fine-grained|app|oauth)|gitlab-pat|stripe-|slack-bot|npm-|pypi-)/

export function createGitleaks(paths: ImagePaths): Engine {
  return {
    name: 'gitleaks',
    product: 'Secrets',
    informationUri: 'https://github.com/gitleaks/gitleaks',
    readData: () => readConfig(paths.gitleaksConfig),
    run: (request) => run(paths, request),
    mayBeSuppressed,
  }
}

async function readConfig(config: string): Promise<{ digest: string }> {
  const { digest, files } = await digestFolder(dirname(config), (path) => config.endsWith(`/${path}`))
  if (files.length === 0)
    throw new ScannerFailure('ScannerIncomplete', `There is no gitleaks configuration at ${config}.`)
  return { digest }
}

async function run(paths: ImagePaths, request: EngineRequest): Promise<EngineOutcome> {
  const obeyed = request.obeyRepository
  const ownConfig = obeyed && (await isFile(join(request.checkout, '.gitleaks.toml')))
  const target = obeyed ? '.' : await hideName(request)
  const result = await runEngine('gitleaks', request, paths.gitleaks, [
    'dir',
    target,
    ...(ownConfig ? [] : ['--config', paths.gitleaksConfig]),
    ...(obeyed ? [] : ['--gitleaks-ignore-path', '/dev/null', '--ignore-gitleaks-allow']),
    '--no-banner',
    '--no-color',
    '--log-level',
    'error',
    '--report-format',
    'json',
    '--report-path',
    '-',
    '--exit-code',
    String(leaksFound),
  ])
  if (result.exitCode !== 0 && result.exitCode !== leaksFound) throw engineFailed('gitleaks', result)
  let leaks: Leak[]
  try {
    leaks = reportSchema.parse(JSON.parse(result.stdout.toString('utf8')))
  } catch {
    // The cause is left out on purpose: it could quote the report.
    throw new ScannerFailure('EngineFailed', 'gitleaks wrote a report that cannot be read.')
  }
  const descriptions = new Map(leaks.map(({ RuleID, Description }) => [RuleID, Description]))
  return {
    exitCode: result.exitCode,
    findings: leaks.map((leak) => toFinding(leak, target)),
    rules: [...descriptions].map(([id, description]) => ({ id, description, tags: ['CWE-798'] })),
    confidential: leaks.map(({ Secret }) => ({ value: Secret, preview: preview(Secret) })),
  }
}

/**
 * A path to the checkout that nobody can guess. The engine reads the target's `.gitleaksignore` whatever its options
 * say, but a line of it names a finding by its path as the engine sees it.
 */
async function hideName({ checkout, scratch }: EngineRequest): Promise<string> {
  const link = join(scratch, randomUUID())
  await symlink(checkout, link)
  return `${link}/`
}

async function isFile(path: string): Promise<boolean> {
  return await lstat(path).then(
    (found) => found.isFile(),
    () => false,
  )
}

function toFinding(leak: Leak, target: string): Finding {
  const digest = createHash('sha256').update(`${leak.RuleID}\0${leak.Secret}`).digest('hex')
  return {
    ruleId: leak.RuleID,
    severity: severityOf(leak.RuleID),
    message: `${leak.Description} Revoke the credential, since history keeps it, and load its successor from a secret store.`,
    path: leak.File.startsWith(target) ? leak.File.slice(target.length) : leak.File,
    // The engine counts columns on its own terms; only lines are comparable.
    region: { startLine: Math.max(1, leak.StartLine), endLine: Math.max(1, leak.EndLine) },
    identity: digest,
    showSource: false,
    cwe: ['CWE-798'],
    secret: { digest, preview: preview(leak.Secret) },
  }
}

function severityOf(rule: string): Severity {
  if (critical.test(rule)) return 'Critical'
  return rule.startsWith('generic-') ? 'Medium' : 'High'
}

/**
 * Enough to recognise one's own credential, not enough to use it: the kind's public prefix, such as `ghp_`, and the
 * last two characters, and neither for values that are short or have lines.
 */
function preview(secret: string): string {
  if (secret.length < 16 || secret.includes('\n')) return '…'
  const prefix = /^[A-Za-z]{2,8}[-_]|^AKIA|^ASIA|^AIza/.exec(secret)?.[0] ?? ''
  return `${prefix}…${secret.slice(-2)}`
}

async function mayBeSuppressed(findings: readonly Finding[], source: SourceTree): Promise<boolean> {
  if (findings.length === 0) return false
  if ((await source.has('.gitleaks.toml')) || (await source.has('.gitleaksignore'))) return true
  for (const { path, region } of findings) {
    const lines = await source.lines(path, region.startLine, region.endLine ?? region.startLine)
    if (lines?.some((line) => line.includes('gitleaks:allow'))) return true
  }
  return false
}
