/** One job: say before anything is made what would make the demo fail in the middle. Every refusal says what to do. */
import { existsSync, readdirSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { createServer } from 'node:net'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { canUseDocker } from '../../test/kubernetes/k3s.ts'
import { execute } from './kubectl.ts'
import { codeHost, root, type Settings } from './settings.ts'

const gigabyte = 1e9
/** Measured: sources, build caches, both images and their copies in the node. */
const needed = { first: 6 * gigabyte, again: 2 * gigabyte }

export interface Circumstances {
  /** The demo's own code host holds the port already. */
  readonly codeHostRuns: boolean
}

/** @throws a sentence about the first thing that is missing. */
export async function checkMachine(settings: Settings, circumstances: Circumstances): Promise<void> {
  if (process.platform !== 'linux')
    throw new Error('The demo runs on Linux only; use a virtual machine with Debian or Ubuntu.')
  await checkRights(settings)
  await checkPrograms()
  await checkSpace()
  if (settings.source.kind === 'DemoHost' && !circumstances.codeHostRuns) await checkPort()
}

async function checkRights(settings: Settings): Promise<void> {
  if (process.getuid?.() === 0 || settings.target.kind === 'Context') return
  if (await canUseDocker()) return
  throw new Error(
    'The demo brings up a real Kubernetes, which takes root or a Docker that this user may use. ' +
      'Run it as root, start Docker, or name an existing cluster with SCANFLEET_CONTEXT.',
  )
}

async function checkPrograms(): Promise<void> {
  for (const [program, version] of [
    ['git', '--version'],
    ['go', 'version'],
  ] as const) {
    await execute(program, [version]).catch(() => {
      throw new Error(`${program} is needed and cannot be run: install it and try again.`)
    })
  }
}

async function checkSpace(): Promise<void> {
  const cache = process.env['SCANFLEET_CACHE'] || join(homedir(), '.cache', 'scanfleet')
  const images = join(cache, 'images')
  const again = existsSync(images) && readdirSync(images).some((name) => name.endsWith('.digest'))
  const least = again ? needed.again : needed.first
  for (const folder of [existing(cache), root]) {
    const { bavail, bsize } = await statfs(folder)
    if (bavail * bsize >= least) continue
    const free = ((bavail * bsize) / gigabyte).toFixed(1)
    throw new Error(
      `${folder} has ${free} GB free and the demo needs ${least / gigabyte} GB. ` +
        'Make room, or set SCANFLEET_CACHE to a folder on a larger disk.',
    )
  }
}

function existing(folder: string): string {
  return existsSync(folder) ? folder : existing(join(folder, '..'))
}

/** The port stands in examples/demo/connection.yaml, so another one cannot simply be taken. */
function checkPort(): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', () =>
      reject(
        new Error(
          `Port ${codeHost.port}, which examples/demo/connection.yaml names for the demo code host, is taken on this machine. ` +
            `See who has it with: ss -ltnp 'sport = :${codeHost.port}'`,
        ),
      ),
    )
    // An address that nobody uses conflicts with exactly those who listen on all addresses.
    server.listen(codeHost.port, '127.0.0.2', () => server.close(() => resolve()))
  })
}
