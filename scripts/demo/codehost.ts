/**
 * One job: the demo code host in the background of this machine. Invariant: its process is recorded the moment it exists,
 * and one that runs is only used again when it serves what is wanted now.
 */
import { createHash } from 'node:crypto'
import { globSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { isAlive, logTail, start, stop } from '../../test/kubernetes/processes.ts'
import { readRecord, remember } from './record.ts'
import { codeHost, demoFolder, root } from './settings.ts'

const folder = join(demoFolder, 'code-host')
const logFile = join(demoFolder, 'code-host.log')
const facts = join(folder, 'connection.json')
const startMs = 60_000

const factsSchema = z.object({
  pid: z.int(),
  organization: z.string(),
  caFile: z.string(),
  appPrivateKeyFile: z.string(),
  repositories: z.array(z.string()),
})

export interface CodeHost {
  readonly organization: string
  /** PEM. */
  readonly ca: string
  readonly privateKey: string
  /** Full names. */
  readonly repositories: readonly string[]
}

export function codeHostRuns(): boolean {
  const record = readRecord().codeHost
  return record !== undefined && isAlive(record.process)
}

/** Serves the samples and these local repositories on the given address, from now until `stopCodeHost`. */
export async function startCodeHost(address: string, repositories: readonly string[]): Promise<CodeHost> {
  const fingerprint = fingerprintOf(address, repositories)
  const running = readRecord().codeHost
  if (running && isAlive(running.process) && running.fingerprint === fingerprint) return readFacts()
  await stopCodeHost()
  mkdirSync(folder, { recursive: true })
  rmSync(facts, { force: true })
  const options = [
    '--address',
    address,
    '--port',
    String(codeHost.port),
    '--host-name',
    codeHost.name,
    '--state',
    folder,
  ]
  const program = join(root, 'test', 'scm-servers', 'main.ts')
  const command = [
    process.execPath,
    program,
    'github',
    ...options,
    ...repositories.flatMap((path) => ['--repos', path]),
  ]
  const process_ = start({ name: 'code host', command, logFile })
  remember({ codeHost: { process: process_, fingerprint, address } })
  const end = Date.now() + startMs
  while (isAlive(process_)) {
    const found = tryFacts()
    if (found?.pid === process_.pid) return readFacts()
    if (Date.now() > end) break
    await sleep(100)
  }
  throw new Error(`The demo code host did not start on ${address}:${codeHost.port}:\n${logTail(logFile)}`)
}

export async function stopCodeHost(): Promise<void> {
  const record = readRecord().codeHost
  if (!record) return
  await stop([record.process], 5_000)
  remember({ codeHost: undefined })
}

function tryFacts(): z.infer<typeof factsSchema> | undefined {
  try {
    return factsSchema.parse(JSON.parse(readFileSync(facts, 'utf8')))
  } catch {
    return undefined // not written yet, or not to its end
  }
}

function readFacts(): CodeHost {
  const { organization, caFile, appPrivateKeyFile, repositories } = factsSchema.parse(
    JSON.parse(readFileSync(facts, 'utf8')),
  )
  const read = (file: string) => readFileSync(file, 'utf8')
  return { organization, repositories, ca: read(caFile), privateKey: read(appPrivateKeyFile) }
}

/** Changes when address, repositories or the server itself do. */
function fingerprintOf(address: string, repositories: readonly string[]): string {
  const hash = createHash('sha256').update(JSON.stringify([address, codeHost, repositories]))
  const sources = join(root, 'test', 'scm-servers')
  const files = globSync('**/*', { cwd: sources, withFileTypes: true }).filter((entry) => entry.isFile())
  for (const path of files.map((entry) => join(entry.parentPath, entry.name)).sort()) {
    hash.update(`${path}\0`).update(readFileSync(path))
  }
  return hash.digest('hex')
}
