/**
 * Tables of the findings store, the same on SQLite and PostgreSQL: text, integers, times as RFC 3339 text in UTC (which
 * sorts by time), small structures as JSON text. Identifiers are made here, not by the database.
 */

import type { FindingState } from '../../report/diff.ts'
import type { Finding, FindingChange } from '../../report/finding.ts'
import type { Product } from '../../scan/contract/plan.ts'
import type { Severity } from '../../scan/contract/result.ts'

export interface Tables {
  repositories: RepositoryRow
  scans: ScanRow
  findings: FindingRow
  scan_findings: ScanFindingRow
  rules: RuleRow
}

/** One repository of one connection, by the code host's immutable ID, so that a rename keeps its findings. */
export interface RepositoryRow {
  id: string
  namespace: string
  connection: string
  external_id: string
  /** Name of the ScmRepository. */
  name: string
  full_name: string
  /** Start of the newest scan that moved the state of the findings. */
  tracked_start: string | null
}

/** What became of one attempt: the outbox of status writes, and the memory that makes an upload count once. */
export interface ScanRow {
  id: string
  run_uid: string
  attempt: number
  namespace: string
  run_name: string
  /** Null when the result was refused. */
  repository_id: string | null
  branch: string | null
  commit_id: string | null
  outcome: 'Accepted' | 'Refused'
  token_digest: string
  body_digest: string
  /** When the gateway decided. */
  decided_at: string
  /** JSON of ScanSummary. */
  summary: string
  publication: Publication | null
  published_at: string | null
}

/** Written: the status tells the outcome. RunGone and RunEnded: there was no run any more that could tell it. */
export type Publication = 'Written' | 'RunGone' | 'RunEnded'

export interface FindingRow {
  id: string
  repository_id: string
  fingerprint: string
  product: Product
  severity: Severity
  severity_rank: number
  tool: string
  rule_id: string
  level: Finding['level']
  message: string
  path: string
  start_line: number
  start_column: number | null
  end_line: number | null
  end_column: number | null
  snippet: string | null
  cwe: string
  package: string | null
  secret: string | null
  state: FindingState
  times_reopened: number
  first_seen_scan: string
  first_seen_at: string
  last_seen_scan: string
  last_seen_at: string
  fixed_at: string | null
}

/** Which scan saw which finding where; `Fixed` when it looked for an open one in vain. */
export interface ScanFindingRow {
  scan_id: string
  finding_id: string
  change: FindingChange | 'Fixed'
  start_line: number
  start_column: number | null
  end_line: number | null
  end_column: number | null
}

/** Definition of a rule as the latest scan of the repository told it: what one repository's pod says stays with it. */
export interface RuleRow {
  repository_id: string
  tool: string
  rule_id: string
  definition: string
}
