/** Builds the engines that are Go programs, from their pinned modules, once per pin. */
import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from './command.ts'
import { cacheFolder, checkout } from './paths.ts'

type GoProgram = { readonly module: string; readonly package: string; readonly versionVariable?: string }

const programs = {
  gitleaks: {
    module: 'github.com/zricethezav/gitleaks/v8',
    package: 'github.com/zricethezav/gitleaks/v8',
    versionVariable: 'github.com/zricethezav/gitleaks/v8/version.Version',
  },
  'osv-scanner': {
    module: 'github.com/google/osv-scanner/v2',
    package: 'github.com/google/osv-scanner/v2/cmd/osv-scanner',
  },
} as const satisfies Record<string, GoProgram>

export type GoEngine = keyof typeof programs
export const goEngines = Object.keys(programs) as GoEngine[]

/** The version that go.mod pins, without the `v`. */
export async function goEngineVersion(name: GoEngine): Promise<string> {
  const text = await readFile(join(folderOf(name), 'go.mod'), 'utf8')
  const version = text
    .split('\n')
    .map((line) =>
      line
        .trim()
        .replace(/^require /, '')
        .split(' '),
    )
    .find(([module]) => module === programs[name].module)?.[1]
  if (version === undefined) throw new Error(`go.mod of ${name} does not pin ${programs[name].module}`)
  return version.replace(/^v/, '')
}

/** Path of the static binary. Takes minutes the first time. */
export async function buildGoEngine(name: GoEngine): Promise<string> {
  const program: GoProgram = programs[name]
  const folder = folderOf(name)
  const hash = createHash('sha256').update(JSON.stringify([program, process.arch]))
  for (const file of ['go.mod', 'go.sum']) hash.update(await readFile(join(folder, file)))
  const binary = cacheFolder('images', 'bin', `${name}-${hash.digest('hex').slice(0, 16)}`)
  if (await stat(binary).catch(() => undefined)) return binary
  await mkdir(cacheFolder('images', 'bin'), { recursive: true })
  process.stderr.write(`Building ${name} from its Go module; minutes the first time.\n`)
  const version =
    program.versionVariable === undefined ? '' : ` -X ${program.versionVariable}=${await goEngineVersion(name)}`
  const args = [
    'build',
    '-mod=readonly',
    '-trimpath',
    '-ldflags',
    `-s -w${version}`,
    '-o',
    `${binary}.draft`,
    program.package,
  ]
  await run('nice', ['-n', '10', 'go', ...args], { cwd: folder, env: { ...process.env, CGO_ENABLED: '0' } })
  await rename(`${binary}.draft`, binary)
  return binary
}

function folderOf(name: GoEngine): string {
  return join(checkout, 'scanner-image/engines', name)
}
