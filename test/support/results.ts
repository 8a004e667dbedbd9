/** Builders of what a scan pod uploads: valid documents, to be changed by tests into what they are about. */
import { createHash } from 'node:crypto'
import type { Product } from '../../operator/scan/contract/plan.ts'
import type { Severity, Upload } from '../../operator/scan/contract/result.ts'
import { fingerprintKey, type SarifLog, type SarifResult } from '../../operator/scan/contract/sarif.ts'

export const aCommit = '0123456789abcdef0123456789abcdef01234567'

const engines = { Code: 'semgrep', SupplyChain: 'osv-scanner', Secrets: 'gitleaks' } as const

export interface FindingShape {
  readonly id: string
  readonly product?: Product
  readonly severity?: Severity
  readonly path?: string
  readonly line?: number
  readonly ruleId?: string
}

export function fingerprintOf(id: string): string {
  return createHash('sha256').update(id).digest('hex')
}

export function aSarifResult(shape: FindingShape): SarifResult {
  const { id, product = 'Code', severity = 'High', path = `src/${id}.ts`, line = 3, ruleId = `demo.${id}` } = shape
  return {
    ruleId,
    level: 'error',
    message: { text: `${id} is dangerous; use something else.` },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: path },
          region: { startLine: line, startColumn: 1, snippet: { text: `use(${id})` } },
        },
      },
    ],
    partialFingerprints: { [fingerprintKey]: fingerprintOf(id) },
    properties: { product, severity, cwe: ['CWE-79'] },
  }
}

export function aSarifLog(findings: readonly FindingShape[], products: readonly Product[]): SarifLog {
  return {
    version: '2.1.0',
    runs: products.map((product) => {
      const results = findings.filter((shape) => (shape.product ?? 'Code') === product).map(aSarifResult)
      const rules = [...new Set(results.map(({ ruleId }) => ruleId))].map((id) => ({
        id,
        shortDescription: { text: `About ${id}` },
      }))
      return { tool: { driver: { name: engines[product], version: '1.0.0', rules } }, results }
    }),
  }
}

const allProducts: readonly Product[] = ['Code', 'SupplyChain', 'Secrets']

/** A result that the gateway accepts for a run of `aCommit`. */
export function anUpload(findings: readonly FindingShape[], products: readonly Product[] = allProducts): Upload {
  return {
    version: 1,
    commit: aCommit,
    engines: products.map((product) => ({
      name: engines[product],
      version: '1.0.0',
      product,
      exitCode: 0,
      milliseconds: 12.5,
      rulesDigest: 'a'.repeat(64),
      suppressed: product === 'Code' ? 2 : 0,
    })),
    evidence: {
      fenceProvenAt: '2026-01-01T00:00:00.123Z',
      cloneStartedAt: '2026-01-01T00:00:01Z',
      cloneEndedAt: '2026-01-01T00:00:02Z',
      scanEndedAt: '2026-01-01T00:00:09Z',
      files: 10,
      bytes: 2048,
      skipped: { submodules: 0, lfsPointers: 0, symlinks: 0 },
    },
    sarif: aSarifLog(findings, products),
  }
}
