/**
 * The two databases behind Kysely: SQLite as Node brings it, with one writer and a write-ahead log, and PostgreSQL.
 * A transaction that commits is on disk in both.
 */
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { type Dialect, PostgresDialect, SqliteDialect } from 'kysely'
import pg from 'pg'

export interface SqliteOptions {
  readonly kind: 'sqlite'
  /** Its folder must exist and be writable: the log lies beside it. */
  readonly file: string
}

export interface PostgresOptions {
  readonly kind: 'postgres'
  /** postgres://user:password@host:port/database, or with `host` as a socket folder. */
  readonly url: string
  readonly poolSize?: number
  /** Told of a connection that broke while no statement ran, for example by a restart of the server. */
  readonly onLostConnection: (error: Error) => void
}

export type StoreOptions = SqliteOptions | PostgresOptions

export function createDialect(options: StoreOptions): Dialect {
  if (options.kind === 'sqlite') return new SqliteDialect({ database: async () => openSqlite(options.file) })
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.poolSize ?? 8,
    connectionTimeoutMillis: 10_000,
    statement_timeout: 60_000,
    idle_in_transaction_session_timeout: 60_000,
    application_name: 'scanfleet-gateway',
  })
  pool.on('error', options.onLostConnection)
  // A connection may also break between two statements of a transaction, when the pool does not listen to it.
  pool.on('connect', (client) => void client.on('error', options.onLostConnection))
  return new PostgresDialect({ pool })
}

/** Gives Kysely the few methods that it wants of a database. It runs one transaction at a time. */
function openSqlite(file: string) {
  const database = new DatabaseSync(file, { timeout: 10_000 })
  database.exec('pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on')
  return {
    close: () => database.close(),
    prepare(sql: string) {
      const statement = database.prepare(sql)
      const bind = (parameters: readonly unknown[]) => parameters as SQLInputValue[]
      return {
        reader: statement.columns().length > 0,
        all: (parameters: readonly unknown[]) => statement.all(...bind(parameters)),
        run: (parameters: readonly unknown[]) => statement.run(...bind(parameters)),
        iterate: (parameters: readonly unknown[]) => statement.iterate(...bind(parameters)),
      }
    },
  }
}
