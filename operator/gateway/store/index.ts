/**
 * The findings store: what was accepted or refused, what is open, and which status writes are still owed. Every method
 * is one transaction or one read; a decision about an attempt is made once and never changed.
 */
import { randomUUID } from 'node:crypto'
import { Kysely, sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import type { SarifExport } from '../../report/sarif.ts'
import { type Acceptance, acceptResult, scanIdentity, type UploadIdentity } from './accept.ts'
import { createDialect, type StoreOptions } from './dialects.ts'
import { migrations } from './migrations.ts'
import {
  exportRepository,
  exportScan,
  type FindingFilter,
  type ListedFinding,
  listFindings,
  type Position,
} from './queries.ts'
import type { Publication, ScanRow, Tables } from './schema.ts'
import { type ScanSummary, scanSummarySchema } from './summary.ts'

export interface StoredScan {
  readonly runUid: string
  readonly attempt: number
  readonly namespace: string
  readonly runName: string
  readonly tokenDigest: string
  readonly bodyDigest: string
  /** RFC 3339. */
  readonly decidedAt: string
  readonly summary: ScanSummary
  readonly publication: Publication | undefined
}

export interface Refusal extends UploadIdentity {
  readonly reason: string
  readonly message: string
}

export interface FindingsStore {
  /** False when the attempt had an outcome already. */
  accept(input: Acceptance): Promise<boolean>
  /** Like `accept`, for a result that can never be accepted. */
  refuse(input: Refusal): Promise<boolean>
  scan(runUid: string, attempt: number): Promise<StoredScan | undefined>
  /** Outcomes that no status tells yet, oldest first. */
  unpublished(limit: number): Promise<readonly StoredScan[]>
  markPublished(runUid: string, attempt: number, publication: Publication, at: string): Promise<void>
  findings(filter: FindingFilter, page: { limit: number; after?: Position | undefined }): Promise<ListedFinding[]>
  exportRepository(namespace: string, name: string): Promise<SarifExport | undefined>
  exportScan(runUid: string): Promise<(SarifExport & { readonly namespace: string }) | undefined>
  /** Throws when the database does not answer. */
  ping(): Promise<void>
  close(): Promise<void>
}

/** Opens the database and brings its tables up to date. Several processes may share a PostgreSQL, never a SQLite file. */
export async function openStore(options: StoreOptions): Promise<FindingsStore> {
  const db = new Kysely<Tables>({ dialect: createDialect(options) })
  try {
    await migrate(db)
  } catch (error) {
    await db.destroy()
    throw error
  }
  return {
    accept: (input) => acceptResult(db, input),
    refuse: (input) => refuseResult(db, input),
    async scan(runUid, attempt) {
      const query = db.selectFrom('scans').selectAll().where('run_uid', '=', runUid).where('attempt', '=', attempt)
      const row = await query.executeTakeFirst()
      return row && toStoredScan(row)
    },
    async unpublished(limit) {
      const query = db.selectFrom('scans').selectAll().where('publication', 'is', null)
      return (await query.orderBy('decided_at').limit(limit).execute()).map(toStoredScan)
    },
    async markPublished(runUid, attempt, publication, at) {
      const update = db.updateTable('scans').set({ publication, published_at: at })
      await update.where('run_uid', '=', runUid).where('attempt', '=', attempt).execute()
    },
    findings: (filter, page) => listFindings(db, filter, page),
    exportRepository: (namespace, name) => exportRepository(db, namespace, name),
    exportScan: (runUid) => exportScan(db, runUid),
    async ping() {
      await sql`select 1`.execute(db)
    },
    close: () => db.destroy(),
  }
}

async function migrate(db: Kysely<Tables>): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => ({ ...migrations }) } })
  const { error } = await migrator.migrateToLatest()
  if (error) throw new Error('The tables of the findings store could not be brought up to date.', { cause: error })
}

async function refuseResult(db: Kysely<Tables>, input: Refusal): Promise<boolean> {
  const summary: ScanSummary = { outcome: 'Refused', reason: input.reason, message: input.message }
  const inserted = await db
    .insertInto('scans')
    .values({
      ...scanIdentity(input),
      id: randomUUID(),
      repository_id: null,
      branch: null,
      commit_id: null,
      outcome: 'Refused',
      summary: JSON.stringify(summary),
    })
    .onConflict((conflict) => conflict.columns(['run_uid', 'attempt']).doNothing())
    .returning('id')
    .executeTakeFirst()
  return inserted !== undefined
}

function toStoredScan(row: ScanRow): StoredScan {
  return {
    runUid: row.run_uid,
    attempt: row.attempt,
    namespace: row.namespace,
    runName: row.run_name,
    tokenDigest: row.token_digest,
    bodyDigest: row.body_digest,
    decidedAt: row.decided_at,
    summary: scanSummarySchema.parse(JSON.parse(row.summary)),
    publication: row.publication ?? undefined,
  }
}
