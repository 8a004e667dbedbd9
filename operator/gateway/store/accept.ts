/**
 * Takes one result into the store, in one transaction and once: the row of (run, attempt) is the lock and the memory.
 * Only a scan of the branch that is followed, and none that started before the newest such scan, moves the state of the
 * repository's findings; any other keeps what it saw to itself, compared with that state.
 */
import { randomUUID } from 'node:crypto'
import { type Kysely, sql, type Transaction } from 'kysely'
import type { Policy } from '../../api/kinds.ts'
import { countFindings } from '../../report/counts.ts'
import { type Diff, diffFindings } from '../../report/diff.ts'
import { type Finding, severityRank } from '../../report/finding.ts'
import { judge } from '../../report/verdict.ts'
import type { Product } from '../../scan/contract/plan.ts'
import type { ResultDocument } from '../results/document.ts'
import type { FindingRow, RepositoryRow, ScanFindingRow, Tables } from './schema.ts'
import type { AcceptedSummary } from './summary.ts'

/** Identity of an attempt and of the upload that speaks for it; digests are SHA-256 in hex. */
export interface UploadIdentity {
  readonly runUid: string
  readonly attempt: number
  readonly namespace: string
  readonly runName: string
  readonly tokenDigest: string
  readonly bodyDigest: string
  /** RFC 3339. */
  readonly decidedAt: string
}

export interface Acceptance extends UploadIdentity {
  readonly repository: {
    readonly connection: string
    /** The code host's immutable ID. */
    readonly externalId: string
    readonly name: string
    readonly fullName: string
  }
  readonly branch: string | undefined
  /** True for a full scan of the repository's default branch. */
  readonly followed: boolean
  /** When the pod was allowed to start, RFC 3339. */
  readonly startedAt: string
  readonly products: readonly Product[]
  readonly policy: Policy
  readonly document: ResultDocument
}

/** Rows of one statement: wide rows times this stays below the bound of parameters of both databases. */
const batch = 500

/** False when the attempt has an outcome already; then nothing was changed. */
export async function acceptResult(db: Kysely<Tables>, input: Acceptance): Promise<boolean> {
  return db.transaction().execute(async (transaction) => {
    const repository = await lockRepository(transaction, input)
    const known = await transaction
      .selectFrom('findings')
      .select(['id', 'fingerprint', 'product', 'state'])
      .where('repository_id', '=', repository.id)
      .execute()
    const tracked = input.followed && (repository.tracked_start ?? '') <= input.startedAt
    const compared = diffFindings(known, input.document.findings, input.products)
    const diff = tracked ? compared : { ...compared, fixed: [] }
    const scanId = randomUUID()
    if (!(await insertScan(transaction, scanId, repository, input, summarize(input, diff, tracked)))) return false
    const ids = new Map(known.map(({ fingerprint, id }) => [fingerprint, id]))
    for (const { fingerprint } of input.document.findings) {
      if (!ids.has(fingerprint)) ids.set(fingerprint, randomUUID())
    }
    await saveFindings(transaction, { input, scanId, repositoryId: repository.id, tracked, diff, ids })
    await saveRules(transaction, repository.id, input.document.rules)
    if (tracked) await moveState(transaction, { input, scanId, repositoryId: repository.id, diff, ids })
    return true
  })
}

/** The update takes the row's lock in PostgreSQL, so that two scans of one repository are compared one after the other. */
function lockRepository(transaction: Transaction<Tables>, input: Acceptance): Promise<RepositoryRow> {
  const { connection, externalId, name, fullName } = input.repository
  return transaction
    .insertInto('repositories')
    .values({
      id: randomUUID(),
      namespace: input.namespace,
      connection,
      external_id: externalId,
      name,
      full_name: fullName,
      tracked_start: null,
    })
    .onConflict((conflict) =>
      conflict.columns(['namespace', 'connection', 'external_id']).doUpdateSet({ name, full_name: fullName }),
    )
    .returningAll()
    .executeTakeFirstOrThrow()
}

function summarize(input: Acceptance, diff: Diff, tracked: boolean): AcceptedSummary {
  const { findings, engines, evidence } = input.document
  return {
    outcome: 'Accepted',
    verdict: judge(findings, input.policy),
    counts: countFindings(findings, diff, input.products),
    engines: [...engines],
    evidence,
    tracked,
  }
}

async function insertScan(
  transaction: Transaction<Tables>,
  id: string,
  repository: RepositoryRow,
  input: Acceptance,
  summary: AcceptedSummary,
): Promise<boolean> {
  const inserted = await transaction
    .insertInto('scans')
    .values({
      ...scanIdentity(input),
      id,
      repository_id: repository.id,
      branch: input.branch ?? null,
      commit_id: input.document.commit,
      outcome: 'Accepted',
      summary: JSON.stringify(summary),
    })
    .onConflict((conflict) => conflict.columns(['run_uid', 'attempt']).doNothing())
    .returning('id')
    .executeTakeFirst()
  return inserted !== undefined
}

/** The columns that accepted and refused results share. */
export function scanIdentity(input: UploadIdentity) {
  return {
    run_uid: input.runUid,
    attempt: input.attempt,
    namespace: input.namespace,
    run_name: input.runName,
    token_digest: input.tokenDigest,
    body_digest: input.bodyDigest,
    decided_at: input.decidedAt,
    publication: null,
    published_at: null,
  }
}

interface Saving {
  readonly input: Acceptance
  readonly scanId: string
  readonly repositoryId: string
  readonly diff: Diff
  /** Row identifiers by fingerprint. */
  readonly ids: ReadonlyMap<string, string>
}

async function saveFindings(transaction: Transaction<Tables>, saving: Saving & { tracked: boolean }): Promise<void> {
  const { input, scanId, ids, diff, tracked } = saving
  for (const findings of inBatches(input.document.findings)) {
    const insert = transaction.insertInto('findings').values(findings.map((finding) => findingRow(finding, saving)))
    await insert
      .onConflict((conflict) => {
        const same = conflict.columns(['repository_id', 'fingerprint'])
        if (!tracked) return same.doNothing()
        return same.doUpdateSet((excluded) => ({
          severity: excluded.ref('excluded.severity'),
          severity_rank: excluded.ref('excluded.severity_rank'),
          level: excluded.ref('excluded.level'),
          message: excluded.ref('excluded.message'),
          start_line: excluded.ref('excluded.start_line'),
          start_column: excluded.ref('excluded.start_column'),
          end_line: excluded.ref('excluded.end_line'),
          end_column: excluded.ref('excluded.end_column'),
          snippet: excluded.ref('excluded.snippet'),
          cwe: excluded.ref('excluded.cwe'),
          package: excluded.ref('excluded.package'),
          secret: excluded.ref('excluded.secret'),
          state: excluded.ref('excluded.state'),
          times_reopened: sql<number>`findings.times_reopened + excluded.times_reopened`,
          last_seen_scan: excluded.ref('excluded.last_seen_scan'),
          last_seen_at: excluded.ref('excluded.last_seen_at'),
          fixed_at: null,
        }))
      })
      .execute()
    const seen = findings.map(
      ({ fingerprint, region }): ScanFindingRow => ({
        scan_id: scanId,
        finding_id: ids.get(fingerprint) as string,
        change: diff.changes.get(fingerprint) ?? 'New',
        ...regionColumns(region),
      }),
    )
    await transaction.insertInto('scan_findings').values(seen).execute()
  }
}

async function moveState(transaction: Transaction<Tables>, saving: Saving): Promise<void> {
  const { input, scanId, repositoryId, diff, ids } = saving
  for (const fingerprints of inBatches(diff.fixed)) {
    await transaction
      .updateTable('findings')
      .set({ state: 'Fixed', fixed_at: input.decidedAt })
      .where('repository_id', '=', repositoryId)
      .where('fingerprint', 'in', fingerprints)
      .execute()
    const gone = fingerprints.map(
      (fingerprint): ScanFindingRow => ({
        scan_id: scanId,
        finding_id: ids.get(fingerprint) as string,
        change: 'Fixed',
        ...regionColumns({ startLine: 0 }),
      }),
    )
    await transaction.insertInto('scan_findings').values(gone).execute()
  }
  const moved = transaction.updateTable('repositories').set({ tracked_start: input.startedAt })
  await moved.where('id', '=', repositoryId).execute()
}

async function saveRules(
  transaction: Transaction<Tables>,
  repositoryId: string,
  rules: ResultDocument['rules'],
): Promise<void> {
  const once = new Map(rules.map((entry) => [`${entry.tool} ${entry.rule.id}`, entry]))
  for (const entries of inBatches([...once.values()])) {
    const rows = entries.map(({ tool, rule }) => ({
      repository_id: repositoryId,
      tool,
      rule_id: rule.id,
      definition: JSON.stringify(rule),
    }))
    const insert = transaction.insertInto('rules').values(rows)
    await insert
      .onConflict((conflict) =>
        conflict
          .columns(['repository_id', 'tool', 'rule_id'])
          .doUpdateSet((excluded) => ({ definition: excluded.ref('excluded.definition') })),
      )
      .execute()
  }
}

function findingRow(
  finding: Finding,
  { input, scanId, repositoryId, diff, ids, tracked }: Saving & { tracked: boolean },
): FindingRow {
  return {
    id: ids.get(finding.fingerprint) as string,
    repository_id: repositoryId,
    fingerprint: finding.fingerprint,
    product: finding.product,
    severity: finding.severity,
    severity_rank: severityRank[finding.severity],
    tool: finding.tool,
    rule_id: finding.ruleId,
    level: finding.level,
    message: finding.message,
    path: finding.path,
    ...regionColumns(finding.region),
    snippet: finding.snippet ?? null,
    cwe: JSON.stringify(finding.cwe),
    package: finding.package ? JSON.stringify(finding.package) : null,
    secret: finding.secret ? JSON.stringify(finding.secret) : null,
    state: tracked ? 'Open' : 'Elsewhere',
    times_reopened: diff.changes.get(finding.fingerprint) === 'Reopened' ? 1 : 0,
    first_seen_scan: scanId,
    first_seen_at: input.decidedAt,
    last_seen_scan: scanId,
    last_seen_at: input.decidedAt,
    fixed_at: null,
  }
}

function regionColumns({ startLine, startColumn, endLine, endColumn }: Finding['region']) {
  return {
    start_line: startLine,
    start_column: startColumn ?? null,
    end_line: endLine ?? null,
    end_column: endColumn ?? null,
  }
}

function* inBatches<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += batch) yield items.slice(at, at + batch)
}
