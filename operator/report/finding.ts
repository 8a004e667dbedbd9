/**
 * What a finding is, in the words that the store, the status and the exports share. Its identity is the fingerprint,
 * which no line number enters; where it was seen is a fact of one scan.
 */

import type { z } from 'zod'
import type { Product } from '../scan/contract/plan.ts'
import type { Severity } from '../scan/contract/result.ts'
import type { SarifResult, sarifRuleSchema } from '../scan/contract/sarif.ts'

export type SarifRule = z.infer<typeof sarifRuleSchema>

/** Lines and columns count from 1. */
export interface Region {
  readonly startLine: number
  readonly startColumn?: number | undefined
  readonly endLine?: number | undefined
  readonly endColumn?: number | undefined
}

export interface Finding {
  /** 64 hex digits. */
  readonly fingerprint: string
  readonly product: Product
  readonly severity: Severity
  /** Name of the engine. */
  readonly tool: string
  readonly ruleId: string
  readonly level: SarifResult['level']
  readonly message: string
  /** Relative to the root of the repository, with `/`. */
  readonly path: string
  readonly region: Region
  readonly snippet?: string | undefined
  readonly cwe: readonly string[]
  readonly package?: SarifResult['properties']['package']
  readonly secret?: SarifResult['properties']['secret']
}

/** How a finding of a scan stands against what the repository had open before. */
export type FindingChange = 'New' | 'Known' | 'Reopened'

/** Order in which people want to read findings: 0 is the worst. */
export const severityRank: Readonly<Record<Severity, number>> = { Critical: 0, High: 1, Medium: 2, Low: 3 }
