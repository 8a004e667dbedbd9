/**
 * Puts the findings of one engine into a SARIF run. Invariants: the run fits `sarifLogSchema`; no text in it holds a
 * value that an engine called confidential; paths are escaped so that no name of a file can forge a line or an order
 * of reading.
 */

import type { Severity } from '../../operator/scan/contract/result.ts'
import type { SarifLog, SarifResult } from '../../operator/scan/contract/sarif.ts'
import { fingerprintKey } from '../../operator/scan/contract/sarif.ts'
import type { Engine, EngineOutcome, Finding, SourceTree } from '../engines/engine.ts'
import { shorten } from '../shared/failure.ts'
import { printablePath } from '../shared/printable.ts'
import { createFingerprinter } from './fingerprint.ts'

export type SarifRun = SarifLog['runs'][number]
export type Mask = (text: string) => string

const levels: Readonly<Record<Severity, SarifResult['level']>> = {
  Critical: 'error',
  High: 'error',
  Medium: 'warning',
  Low: 'note',
}

const snippetLines = 40
const identityLines = 200

export async function toSarifRun(
  engine: Engine,
  version: string,
  outcome: Pick<EngineOutcome, 'rules'> & { readonly findings: readonly Finding[] },
  source: SourceTree,
  mask: Mask,
): Promise<SarifRun> {
  const fingerprint = createFingerprinter()
  const ordered = [...outcome.findings].sort(byPlace)
  const results: SarifResult[] = []
  for (const finding of ordered) results.push(await toResult(engine, finding, source, mask, fingerprint))
  const used = new Set(results.map(({ ruleId }) => ruleId))
  return {
    tool: {
      driver: {
        name: engine.name,
        version,
        informationUri: engine.informationUri,
        rules: outcome.rules
          .filter(({ id }) => used.has(shorten(id, 256)))
          .map(({ id, description, helpUri, tags }) => ({
            id: shorten(id, 256),
            shortDescription: { text: shorten(mask(description), 1000) },
            ...(helpUri !== undefined && URL.canParse(helpUri) && { helpUri: shorten(helpUri, 2048) }),
            ...(tags && tags.length > 0 && { properties: { tags: tags.slice(0, 20) } }),
          })),
      },
    },
    results,
  }
}

async function toResult(
  engine: Engine,
  finding: Finding,
  source: SourceTree,
  mask: Mask,
  fingerprint: ReturnType<typeof createFingerprinter>,
): Promise<SarifResult> {
  const { region } = finding
  const path = printablePath(finding.path)
  const ruleId = shorten(finding.ruleId, 256)
  const lines = await source.lines(
    finding.path,
    region.startLine,
    Math.min(region.endLine ?? region.startLine, region.startLine + identityLines),
  )
  const matched = finding.identity ?? cutOut(lines ?? [], finding)
  const snippet = finding.showSource && lines ? mask(lines.slice(0, snippetLines).join('\n')) : ''
  return {
    ruleId,
    level: levels[finding.severity],
    message: { text: shorten(mask(finding.message), 4000) },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: path },
          region: {
            startLine: region.startLine,
            ...(region.startColumn !== undefined && { startColumn: region.startColumn }),
            ...(region.endLine !== undefined && { endLine: region.endLine }),
            ...(region.endColumn !== undefined && { endColumn: region.endColumn }),
            ...(snippet.trim() !== '' && { snippet: { text: shorten(snippet, 2000) } }),
          },
        },
      },
    ],
    partialFingerprints: { [fingerprintKey]: fingerprint({ product: engine.product, ruleId, path, matched }) },
    properties: {
      product: engine.product,
      severity: finding.severity,
      ...(finding.cwe && finding.cwe.length > 0 && { cwe: finding.cwe.slice(0, 20) }),
      ...(finding.package && { package: finding.package }),
      ...(finding.secret && { secret: finding.secret }),
    },
  }
}

/** The text between the columns of the region. */
function cutOut(lines: readonly string[], { region }: Finding): string {
  const last = lines.length - 1
  return lines
    .map((line, index) => {
      const from = index === 0 ? (region.startColumn ?? 1) - 1 : 0
      const to = index === last ? (region.endColumn ?? line.length + 1) - 1 : line.length
      return line.slice(from, to)
    })
    .join('\n')
}

/** A function that replaces confidential values, and the lines of those that span several, by their previews. */
export function createMask(confidential: NonNullable<EngineOutcome['confidential']>): Mask {
  const replacements = new Map<string, string>()
  for (const { value, preview } of confidential) {
    for (const part of [value, ...value.split('\n')]) if (part.trim().length >= 6) replacements.set(part, preview)
  }
  const ordered = [...replacements].sort(([a], [b]) => b.length - a.length)
  return (text) => ordered.reduce((masked, [value, preview]) => masked.replaceAll(value, preview), text)
}

function byPlace(a: Finding, b: Finding): number {
  return (
    compare(a.path, b.path) ||
    a.region.startLine - b.region.startLine ||
    (a.region.startColumn ?? 0) - (b.region.startColumn ?? 0) ||
    compare(a.ruleId, b.ruleId)
  )
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
