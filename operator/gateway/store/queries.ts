/** Reads findings for people, in pages, and for exports. Access has been decided by the caller; nothing here writes. */
import type { Kysely } from 'kysely'
import type { SarifExport } from '../../report/sarif.ts'
import { sarifRuleSchema } from '../../scan/contract/sarif.ts'
import type { FindingRow, RepositoryRow, Tables } from './schema.ts'
import { scanSummarySchema } from './summary.ts'

export interface FindingFilter {
  /** All namespaces if absent. */
  readonly namespace?: string | undefined
  /** Full name at the code host, or name of the ScmRepository. */
  readonly repository?: string | undefined
  readonly product?: FindingRow['product'] | undefined
  readonly severity?: FindingRow['severity'] | undefined
  readonly state?: FindingRow['state'] | undefined
  readonly rule?: string | undefined
}

export type ListedFinding = FindingRow & Pick<RepositoryRow, 'namespace' | 'connection' | 'name' | 'full_name'>

/** Where a page begins: after this finding, in the order of severity, then identifier. */
export interface Position {
  readonly rank: number
  readonly id: string
}

export function listFindings(
  db: Kysely<Tables>,
  filter: FindingFilter,
  page: { readonly limit: number; readonly after?: Position | undefined },
): Promise<ListedFinding[]> {
  let query = db
    .selectFrom('findings')
    .innerJoin('repositories', 'repositories.id', 'findings.repository_id')
    .selectAll('findings')
    .select(['repositories.namespace', 'repositories.connection', 'repositories.name', 'repositories.full_name'])
  const { namespace, repository, product, severity, state, rule } = filter
  const { after } = page
  if (namespace !== undefined) query = query.where('repositories.namespace', '=', namespace)
  if (repository !== undefined) {
    query = query.where((where) =>
      where.or([where('repositories.full_name', '=', repository), where('repositories.name', '=', repository)]),
    )
  }
  if (product !== undefined) query = query.where('findings.product', '=', product)
  if (severity !== undefined) query = query.where('findings.severity', '=', severity)
  if (state !== undefined) query = query.where('findings.state', '=', state)
  if (rule !== undefined) query = query.where('findings.rule_id', '=', rule)
  if (after !== undefined) {
    query = query.where((where) =>
      where.or([
        where('findings.severity_rank', '>', after.rank),
        where.and([where('findings.severity_rank', '=', after.rank), where('findings.id', '>', after.id)]),
      ]),
    )
  }
  return query.orderBy('findings.severity_rank').orderBy('findings.id').limit(page.limit).execute()
}

/** Open findings of a repository by the name of its ScmRepository; undefined when no scan of it was ever accepted. */
export async function exportRepository(
  db: Kysely<Tables>,
  namespace: string,
  name: string,
): Promise<SarifExport | undefined> {
  // A name may have been used by an earlier repository of another ID: the one that was scanned last is meant.
  const repository = await db
    .selectFrom('repositories')
    .selectAll()
    .where('namespace', '=', namespace)
    .where('name', '=', name)
    .orderBy('tracked_start', (order) => order.desc().nullsLast())
    .limit(1)
    .executeTakeFirst()
  if (!repository) return undefined
  const rows = await db
    .selectFrom('findings')
    .selectAll()
    .where('repository_id', '=', repository.id)
    .where('state', '=', 'Open')
    .orderBy('severity_rank')
    .orderBy('path')
    .orderBy('start_line')
    .orderBy('id')
    .execute()
  const engines = [...new Set(rows.map(({ tool }) => tool))].map((tool) => ({ name: tool }))
  const rules = await readRules(db, repository.id)
  return { repository: repository.full_name, engines, findings: rows.map(toFinding), rules }
}

/** What one scan saw, with how it stood against the repository's state; undefined when the run has no accepted result. */
export async function exportScan(
  db: Kysely<Tables>,
  runUid: string,
): Promise<(SarifExport & { readonly namespace: string }) | undefined> {
  const scan = await db
    .selectFrom('scans')
    .innerJoin('repositories', 'repositories.id', 'scans.repository_id')
    .select(['scans.id', 'scans.namespace', 'scans.commit_id', 'scans.summary', 'repositories.id as repository_id'])
    .select('repositories.full_name')
    .where('scans.run_uid', '=', runUid)
    .where('scans.outcome', '=', 'Accepted')
    .orderBy('scans.attempt', 'desc')
    .limit(1)
    .executeTakeFirst()
  if (!scan) return undefined
  const summary = scanSummarySchema.parse(JSON.parse(scan.summary))
  const engines = summary.outcome === 'Accepted' ? summary.engines.map(({ name, version }) => ({ name, version })) : []
  const rows = await scanFindings(db, scan.id).execute()
  return {
    namespace: scan.namespace,
    repository: scan.full_name,
    commit: scan.commit_id ?? undefined,
    engines: [...new Map(engines.map((engine) => [engine.name, engine])).values()],
    findings: rows.map((row) => ({
      ...toFinding({
        ...row,
        start_line: row.seen_line,
        start_column: row.seen_column,
        end_line: row.seen_end_line,
        end_column: row.seen_end_column,
      }),
      change: row.change === 'Fixed' ? undefined : row.change,
    })),
    rules: await readRules(db, scan.repository_id),
  }
}

function scanFindings(db: Kysely<Tables>, scanId: string) {
  return db
    .selectFrom('scan_findings')
    .innerJoin('findings', 'findings.id', 'scan_findings.finding_id')
    .selectAll('findings')
    .select([
      'scan_findings.change',
      'scan_findings.start_line as seen_line',
      'scan_findings.start_column as seen_column',
      'scan_findings.end_line as seen_end_line',
      'scan_findings.end_column as seen_end_column',
    ])
    .where('scan_findings.scan_id', '=', scanId)
    .where('scan_findings.change', '!=', 'Fixed')
    .orderBy('findings.severity_rank')
    .orderBy('findings.path')
    .orderBy('scan_findings.start_line')
    .orderBy('findings.id')
}

async function readRules(db: Kysely<Tables>, repositoryId: string): Promise<SarifExport['rules']> {
  const rows = await db.selectFrom('rules').selectAll().where('repository_id', '=', repositoryId).execute()
  return rows.map(({ tool, definition }) => ({ tool, rule: sarifRuleSchema.parse(JSON.parse(definition)) }))
}

/** Back from a row; JSON columns were written by this store. */
export function toFinding(row: FindingRow): SarifExport['findings'][number] {
  return {
    fingerprint: row.fingerprint,
    product: row.product,
    severity: row.severity,
    tool: row.tool,
    ruleId: row.rule_id,
    level: row.level,
    message: row.message,
    path: row.path,
    region: {
      startLine: row.start_line,
      startColumn: row.start_column ?? undefined,
      endLine: row.end_line ?? undefined,
      endColumn: row.end_column ?? undefined,
    },
    snippet: row.snippet ?? undefined,
    cwe: JSON.parse(row.cwe),
    package: row.package === null ? undefined : JSON.parse(row.package),
    secret: row.secret === null ? undefined : JSON.parse(row.secret),
  }
}
