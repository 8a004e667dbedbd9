/**
 * A real PostgreSQL for the tests of the store: Debian's packages in a folder of its own on a Unix socket, without a TCP
 * port; where they cannot be had, a container. It ends with the tests.
 */
import { execFile, spawn } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { until } from './wait.ts'

const run = promisify(execFile)
const ensurePackages = join(import.meta.dirname, '../../scripts/ensure-packages.sh')

export interface Postgres {
  /** URL of a new, empty database. */
  createDatabase(): Promise<string>
  /** Kills the server as a crash would and starts it again on the same data. */
  crash(): Promise<void>
  stop(): Promise<void>
}

export async function startPostgres(): Promise<Postgres> {
  const isRoot = process.getuid?.() === 0
  if (!findPrograms() && isRoot) await run(ensurePackages, ['postgresql'])
  const programs = findPrograms()
  return programs ? startNative(programs, isRoot) : startContainer()
}

function findPrograms(): string | undefined {
  return globSync('/usr/lib/postgresql/*/bin')
    .filter((folder) => existsSync(join(folder, 'initdb')))
    .sort()
    .at(-1)
}

/** The server refuses to run as root, so root hands it to the account that Debian's package made for it. */
async function startNative(programs: string, isRoot: boolean): Promise<Postgres> {
  const folder = await mkdtemp(join(tmpdir(), 'scanfleet-postgres-'))
  const account = isRoot
    ? await findAccount('postgres')
    : { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
  await chown(folder, account.uid, account.gid)
  await chmod(folder, 0o700)
  const data = join(folder, 'data')
  const as = isRoot ? account : {}
  await run(
    join(programs, 'initdb'),
    ['-D', data, '-U', 'scanfleet', '-A', 'trust', '-E', 'UTF8', '--no-locale', '-N'],
    {
      ...as,
      cwd: folder,
    },
  )
  const urlOf = (database: string) => `postgres://scanfleet@localhost/${database}?host=${encodeURIComponent(folder)}`

  async function start() {
    const settings = [
      'listen_addresses=',
      `unix_socket_directories=${folder}`,
      'max_connections=50',
      'shared_buffers=32MB',
    ]
    const flags = ['-D', data, ...settings.flatMap((setting) => ['-c', setting])]
    const server = spawn(join(programs, 'postgres'), flags, { ...as, cwd: folder, stdio: 'ignore' })
    const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()))
    await until('PostgreSQL answers', async () => (await query(urlOf('postgres'), 'select 1')) && true)
    return { server, ended }
  }
  let running = await start()

  return {
    createDatabase: () => createDatabase(urlOf),
    async crash() {
      // Immediate shutdown: no checkpoint, every connection cut, recovery at the next start.
      running.server.kill('SIGQUIT')
      await running.ended
      running = await start()
    },
    async stop() {
      running.server.kill('SIGINT')
      await running.ended
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function startContainer(): Promise<Postgres> {
  const { GenericContainer, Wait } = await import('testcontainers')
  const password = 'not-a-secret'
  const container = await new GenericContainer('postgres:17-alpine')
    .withEnvironment({ POSTGRES_USER: 'scanfleet', POSTGRES_PASSWORD: password })
    .withExposedPorts(5432)
    .withWaitStrategy(Wait.forLogMessage(/ready to accept connections/, 2))
    .start()
  const urlOf = (database: string) =>
    `postgres://scanfleet:${password}@${container.getHost()}:${container.getMappedPort(5432)}/${database}`
  return {
    createDatabase: () => createDatabase(urlOf),
    async crash() {
      await container.restart({ timeout: 0 })
      await until('PostgreSQL answers again', async () => (await query(urlOf('postgres'), 'select 1')) && true)
    },
    async stop() {
      await container.stop()
    },
  }
}

async function createDatabase(urlOf: (database: string) => string): Promise<string> {
  const name = `findings_${crypto.randomUUID().replaceAll('-', '')}`
  await query(urlOf('postgres'), `create database ${name}`)
  return urlOf(name)
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

async function findAccount(name: string): Promise<{ uid: number; gid: number }> {
  const id = async (flag: string) => Number((await run('id', [flag, name])).stdout)
  return { uid: await id('-u'), gid: await id('-g') }
}
