/**
 * Turns the text of an upload into checked findings, or says why not. Pure; everything here was made next to hostile
 * code. `unpack` has bounded the text before, and what leaves this file has no control characters, no unknown members, no
 * finding twice and no path out of the repository.
 */
import type { z } from 'zod'
import type { Finding, SarifRule } from '../../report/finding.ts'
import { type EngineReport, resultLimits, type Upload, uploadSchema } from '../../scan/contract/result.ts'
import { fingerprintKey, type SarifResult, sarifLogSchema } from '../../scan/contract/sarif.ts'

export interface ResultDocument {
  readonly commit: string
  readonly engines: readonly EngineReport[]
  readonly evidence: Upload['evidence']
  readonly findings: readonly Finding[]
  readonly rules: readonly { readonly tool: string; readonly rule: SarifRule }[]
}

export type RefusalReason =
  | 'TooLarge'
  | 'NotGzip'
  | 'NotUtf8'
  | 'TooDeep'
  | 'TooManyValues'
  | 'TextTooLong'
  | 'NotJson'
  | 'SchemaMismatch'
  | 'TooManyFindings'
  | 'TooSlow'
  | 'OtherCommit'
  | 'ProductMissing'
  | 'ProductUnexpected'

/** A result that can never be accepted. The message is a sentence that quotes nothing from the result. */
export class ResultRefused extends Error {
  override name = 'ResultRefused'
  readonly reason: RefusalReason

  constructor(reason: RefusalReason, message: string, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }
}

export function readDocument(text: string): ResultDocument {
  const upload = check(uploadSchema, parse(text), 'the result')
  const { runs } = check(sarifLogSchema, upload.sarif, 'its SARIF log')
  const findings = new Map<string, Finding>()
  for (const { tool, results } of runs) {
    for (const result of results) {
      const finding = toFinding(tool.driver.name, result)
      // Equal fingerprints mean the same finding, whichever engine says it twice; the first stays.
      if (!findings.has(finding.fingerprint)) findings.set(finding.fingerprint, finding)
    }
    if (findings.size > resultLimits.findings) {
      throw new ResultRefused('TooManyFindings', `The result has more than ${resultLimits.findings} findings.`)
    }
  }
  return {
    commit: upload.commit,
    engines: upload.engines.map(cleanAll),
    evidence: upload.evidence,
    findings: [...findings.values()],
    rules: runs.flatMap(({ tool }) =>
      tool.driver.rules.map((rule) => ({ tool: clean(tool.driver.name), rule: cleanAll(rule) })),
    ),
  }
}

/** What the upload says must be what the attempt was about: its commit, and every product that it had to look for. */
export function checkAgainstAttempt(
  document: ResultDocument,
  attempt: { readonly commit: string | undefined; readonly products: readonly string[] },
): void {
  if (document.commit !== attempt.commit) throw new ResultRefused('OtherCommit', 'The result is of another commit.')
  const covered = new Set<string>(document.engines.map(({ product }) => product))
  const missing = attempt.products.filter((product) => !covered.has(product))
  if (missing.length > 0) {
    throw new ResultRefused('ProductMissing', `The result says nothing about ${missing.join(', ')}.`)
  }
  const spoken = new Set([...covered, ...document.findings.map(({ product }) => product)])
  const unexpected = [...spoken].filter((product) => !attempt.products.includes(product))
  if (unexpected.length > 0) {
    throw new ResultRefused('ProductUnexpected', `The result speaks of ${unexpected.join(', ')}, which was not asked.`)
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new ResultRefused('NotJson', 'The result is not JSON; it may be truncated.', { cause })
  }
}

function check<S extends z.ZodType>(schema: S, value: unknown, what: string): z.infer<S> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  // Members are named by their position only where the position is ours: a key of a hostile record is not repeated.
  const where = (issue?.path ?? []).filter(
    (step) => typeof step === 'number' || /^[A-Za-z/0-9]{1,40}$/.test(String(step)),
  )
  throw new ResultRefused('SchemaMismatch', `A member of ${what} is not as agreed: ${where.join('.') || 'the whole'}.`)
}

function toFinding(tool: string, result: SarifResult): Finding {
  const { physicalLocation } = result.locations[0] as SarifResult['locations'][number]
  const { snippet, ...region } = physicalLocation.region
  const path = physicalLocation.artifactLocation.uri
  if (!path.isWellFormed())
    throw new ResultRefused('SchemaMismatch', 'A path of the result is not well-formed Unicode.')
  const { product, severity, cwe, package: dependency, secret } = result.properties
  return {
    fingerprint: result.partialFingerprints[fingerprintKey],
    product,
    severity,
    tool: clean(tool),
    ruleId: clean(result.ruleId),
    level: result.level,
    message: clean(result.message.text),
    path,
    region,
    snippet: snippet && clean(snippet.text),
    cwe: cwe ?? [],
    package: dependency && cleanAll(dependency),
    secret: secret && cleanAll(secret),
  }
}

/** Replaces what no text of a finding needs and what databases, terminals and browsers trip over. */
function clean(text: string): string {
  const lines = text.toWellFormed().replaceAll('\r\n', '\n')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this replaces
  return lines.replace(/[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]/g, '\ufffd')
}

/** `clean` for every string of a small object that a schema has bounded already. */
function cleanAll<T>(value: T): T {
  if (typeof value === 'string') return clean(value) as T
  if (Array.isArray(value)) return value.map(cleanAll) as T
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, cleanAll(member)])) as T
}
