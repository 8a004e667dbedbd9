/**
 * osv-scanner: known vulnerabilities of dependencies, from lockfiles and the offline advisory database. Invariants: it
 * never asks the network and never builds or runs anything of the repository; without a database for an ecosystem of
 * the repository the scan fails, since an empty result would not mean "clean".
 */
import { readFile, stat } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { z } from 'zod'
import type { Severity } from '../../../operator/scan/contract/result.ts'
import { digestFolder } from '../../shared/digest.ts'
import { ScannerFailure, shorten } from '../../shared/failure.ts'
import { printable } from '../../shared/printable.ts'
import type { ProcessResult } from '../../shared/process.ts'
import type { Engine, EngineData, EngineOutcome, EngineRequest, Finding, ImagePaths, SourceTree } from '../engine.ts'
import { engineFailed, runEngine } from '../environment.ts'

const exit = { clean: 0, found: 1, failed: 127, noPackages: 128 } as const

const vulnerabilitySchema = z.object({
  id: z.string(),
  summary: z.string().optional(),
  database_specific: z.object({ cwe_ids: z.array(z.string()).optional(), severity: z.string().optional() }).optional(),
  affected: z
    .array(
      z.object({
        package: z.object({ name: z.string() }).optional(),
        ranges: z.array(z.object({ type: z.string(), events: z.array(z.record(z.string(), z.string())) })).optional(),
      }),
    )
    .optional(),
})

const reportSchema = z.object({
  results: z.array(
    z.object({
      source: z.object({ path: z.string() }),
      packages: z.array(
        z.object({
          package: z.object({ name: z.string(), version: z.string(), ecosystem: z.string() }),
          groups: z
            .array(
              z.object({
                ids: z.array(z.string()).min(1),
                aliases: z.array(z.string()).nullish(),
                max_severity: z.string().optional(),
              }),
            )
            .nullish(),
          vulnerabilities: z.array(vulnerabilitySchema).nullish(),
        }),
      ),
    }),
  ),
})

type Source = z.output<typeof reportSchema>['results'][number]
type Package = Source['packages'][number]
type Vulnerability = z.output<typeof vulnerabilitySchema>

/** `paths.advisories` holds `osv-scalibr/<ecosystem>/all.zip`. */
export function createOsvScanner(paths: ImagePaths): Engine {
  return {
    name: 'osv-scanner',
    product: 'SupplyChain',
    informationUri: 'https://google.github.io/osv-scanner/',
    readData: () => readDatabase(paths.advisories),
    run: (request) => run(paths, request),
    mayBeSuppressed,
  }
}

async function readDatabase(advisories: string): Promise<EngineData> {
  const folder = join(advisories, 'osv-scalibr')
  const { digest, files } = await digestFolder(folder, (path) => path.endsWith('/all.zip'))
  if (files.length === 0) throw new ScannerFailure('ScannerIncomplete', `There is no advisory database in ${folder}.`)
  const times = await Promise.all(files.map(async (file) => (await stat(join(folder, file))).mtime.getTime()))
  return { digest, date: new Date(Math.max(...times)) }
}

async function run(paths: ImagePaths, request: EngineRequest): Promise<EngineOutcome> {
  const args = ['scan', 'source', '--offline', '--no-resolve', '--format', 'json', '--no-ignore']
  const noBuilds = ['--no-call-analysis=go', '--no-call-analysis=rust']
  const trusted = request.obeyRepository ? [] : ['--config', '/dev/null']
  const result = await runEngine(
    'osv-scanner',
    request,
    paths.osvScanner,
    [...args, ...noBuilds, ...trusted, '-r', '.'],
    {
      OSV_SCALIBR_LOCAL_DB_CACHE_DIRECTORY: paths.advisories,
    },
  )
  if (result.exitCode === exit.noPackages) {
    return {
      exitCode: result.exitCode,
      findings: [],
      rules: [],
      notice: 'no lockfile or manifest of a supported ecosystem',
    }
  }
  failWithoutDatabase(result)
  if (result.exitCode !== exit.clean && result.exitCode !== exit.found) throw engineFailed('osv-scanner', result)
  const parsed = reportSchema.safeParse(parseJson(result.stdout))
  if (!parsed.success) throw new ScannerFailure('EngineFailed', 'osv-scanner wrote a report that cannot be read.')

  const findings: Finding[] = []
  for (const source of parsed.data.results) findings.push(...(await toFindings(source, request.checkout)))
  const rules = new Map(findings.map((finding) => [finding.ruleId, finding]))
  return {
    exitCode: result.exitCode,
    findings,
    rules: [...rules.values()].map(({ ruleId, message, cwe }) => ({
      id: ruleId,
      description: message,
      helpUri: `https://osv.dev/vulnerability/${encodeURIComponent(ruleId)}`,
      ...(cwe && { tags: cwe }),
    })),
  }
}

/** The engine says on standard error only which ecosystem it has no data for, whatever its exit code. */
function failWithoutDatabase(result: ProcessResult): void {
  const lines = result.stderr
    .split('\n')
    .filter((text) => /could not load db|no offline version|unable to fetch OSV/i.test(text))
  if (lines.length === 0) return
  throw new ScannerFailure(
    'ScannerIncomplete',
    `The advisory database lacks an ecosystem of this repository: ${shorten(printable(lines.join('; ')), 500)}`,
  )
}

function parseJson(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString('utf8'))
  } catch {
    return undefined
  }
}

/** One finding for each package and group of advisories that mean the same flaw. */
async function toFindings(source: Source, checkout: string): Promise<Finding[]> {
  const path = relative(checkout, source.source.path)
  const text = await readFile(source.source.path, 'utf8').catch(() => '')
  return source.packages.flatMap(({ package: name, groups, vulnerabilities }) =>
    (groups ?? []).map((group): Finding => {
      const known = (vulnerabilities ?? []).filter(({ id }) => group.ids.includes(id))
      const advisories = [...new Set([...group.ids, ...(group.aliases ?? [])])].slice(0, 50)
      const fixedVersion = fixedIn(known, name)
      const cwe = [...new Set(known.flatMap((vulnerability) => vulnerability.database_specific?.cwe_ids ?? []))]
      const summary =
        known.find((vulnerability) => vulnerability.summary !== undefined)?.summary ?? 'Known vulnerability'
      const remedy =
        fixedVersion === undefined
          ? 'No fixed version is known: replace the package.'
          : `Update to ${fixedVersion} or later.`
      return {
        ruleId: group.ids[0] ?? advisories[0] ?? 'unknown',
        severity: severityOf(group.max_severity, known),
        message: `${name.name} ${name.version}: ${summary} (${advisories.join(', ')}). ${remedy}`,
        path,
        region: { startLine: lineOf(text, name.name) },
        // Without the version, so that an update that does not fix it leaves the finding the same.
        identity: `${name.ecosystem}\0${name.name}`,
        showSource: false,
        cwe: cwe.filter((id) => /^CWE-\d{1,5}$/.test(id)).slice(0, 20),
        package: { ...name, advisories, ...(fixedVersion !== undefined && { fixedVersion }) },
      }
    }),
  )
}

/** The lowest fixed version that lies in the range of the installed one: of the ranges, the last that began before it. */
function fixedIn(known: readonly Vulnerability[], { name, version }: Package['package']): string | undefined {
  const fixes = known
    .flatMap(({ affected }) => affected ?? [])
    .filter((entry) => entry.package === undefined || entry.package.name.toLowerCase() === name.toLowerCase())
    .flatMap(({ ranges }) => ranges ?? [])
    .filter(({ type }) => type !== 'GIT')
    .flatMap(({ events }) => events.map(({ fixed }) => fixed))
    .filter((fixed) => fixed !== undefined)
  const later = fixes.filter((fixed) => compareVersions(fixed, version) > 0)
  return later.sort(compareVersions)[0]
}

/** By numbers where both have them; good enough to choose among the few fixes of one advisory. */
function compareVersions(a: string, b: string): number {
  return a.replace(/^v/, '').localeCompare(b.replace(/^v/, ''), 'en', { numeric: true })
}

function severityOf(score: string | undefined, known: readonly Vulnerability[]): Severity {
  const value = Number(score)
  if (score && Number.isFinite(value))
    return value >= 9 ? 'Critical' : value >= 7 ? 'High' : value >= 4 ? 'Medium' : 'Low'
  const word = known.map((entry) => entry.database_specific?.severity?.toUpperCase()).find((text) => text !== undefined)
  return word === 'CRITICAL' ? 'Critical' : word === 'HIGH' ? 'High' : word === 'LOW' ? 'Low' : 'Medium'
}

/** First line that names the package, for a link that leads somewhere. Maven splits group and artifact. */
function lineOf(text: string, name: string): number {
  const artifact = name.slice(name.lastIndexOf(':') + 1).toLowerCase()
  const index = text.toLowerCase().indexOf(artifact)
  return index < 0 ? 1 : text.slice(0, index).split('\n').length
}

async function mayBeSuppressed(findings: readonly Finding[], source: SourceTree): Promise<boolean> {
  for (const folder of new Set(findings.map(({ path }) => dirname(path)))) {
    if (await source.has(join(folder, 'osv-scanner.toml'))) return true
  }
  return false
}
