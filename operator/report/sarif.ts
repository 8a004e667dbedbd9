/**
 * Writes stored findings as a SARIF 2.1.0 log, one run for each engine, for the tools that a team already has. Pure.
 * Paths become URI references relative to the repository's root (`%SRCROOT%`).
 */
import type { Log, Result } from 'sarif'
import { fingerprintKey } from '../scan/contract/sarif.ts'
import type { Finding, FindingChange, SarifRule } from './finding.ts'

export interface SarifExport {
  readonly repository: string
  /** Absent when the findings come from several commits. */
  readonly commit?: string | undefined
  /** Engines that ran, also those that found nothing. */
  readonly engines: readonly { readonly name: string; readonly version?: string | undefined }[]
  readonly findings: readonly (Finding & { readonly change?: FindingChange | undefined })[]
  /** Definitions of the rules, by engine. */
  readonly rules: readonly { readonly tool: string; readonly rule: SarifRule }[]
}

export function writeSarif(input: SarifExport): Log {
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: input.engines.map(({ name, version }) => {
      const findings = input.findings.filter(({ tool }) => tool === name)
      const used = new Set(findings.map(({ ruleId }) => ruleId))
      return {
        tool: {
          driver: {
            name,
            ...(version === undefined ? {} : { version }),
            rules: input.rules.filter(({ tool, rule }) => tool === name && used.has(rule.id)).map(({ rule }) => rule),
          },
        },
        automationDetails: { id: `scanfleet/${input.repository}/${name}/` },
        ...(input.commit === undefined ? {} : { properties: { commit: input.commit } }),
        columnKind: 'utf16CodeUnits',
        results: findings.map(writeResult),
      }
    }),
  }
}

function writeResult(finding: SarifExport['findings'][number]): Result {
  const { snippet, region } = finding
  return {
    ruleId: finding.ruleId,
    level: finding.level,
    message: { text: finding.message },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: encodePath(finding.path), uriBaseId: '%SRCROOT%' },
          region: { ...dropUndefined(region), ...(snippet === undefined ? {} : { snippet: { text: snippet } }) },
        },
      },
    ],
    partialFingerprints: { [fingerprintKey]: finding.fingerprint },
    ...(finding.change === undefined ? {} : { baselineState: finding.change === 'Known' ? 'unchanged' : 'new' }),
    properties: dropUndefined({
      product: finding.product,
      severity: finding.severity,
      cwe: finding.cwe.length === 0 ? undefined : finding.cwe,
      package: finding.package,
      secret: finding.secret,
    }),
  }
}

function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/')
}

function dropUndefined(object: object): object {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined))
}
