/**
 * One job: build the programs of a cluster from their Go modules, once per machine and version.
 * Invariant: a folder in the cache is complete or absent; its name is the hash of everything that it was built from.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { withLock } from './lock.ts'
import { execute } from './processes.ts'

export type Progress = (line: string) => void

interface Program {
  readonly output: string
  readonly package: string
  readonly env?: Readonly<Record<string, string>>
  readonly flags?: readonly string[]
  /** Further names that the program is called by. */
  readonly links?: readonly string[]
}

interface Module {
  readonly title: string
  readonly duration: string
  readonly debianPackages: readonly string[]
  readonly programs: readonly Program[]
}

export type ModuleName = 'kubernetes' | 'containerd' | 'runc' | 'helm'

const version = 'k8s.io/component-base/version'
const components = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kube-proxy',
  'network-policy',
  'kubectl',
]

const modules: Readonly<Record<ModuleName, Module>> = {
  kubernetes: {
    title: 'Kubernetes and etcd',
    duration: '4 to 6 minutes',
    debianPackages: [],
    programs: [
      {
        output: 'kubernetes',
        package: '.',
        // Without these the server and the node would report version v0.0.0.
        flags: ['-X', `${version}.gitVersion=v1.34.4`, '-X', `${version}.gitMajor=1`, '-X', `${version}.gitMinor=34`],
        links: components,
      },
      { output: 'pause', package: './pause' },
      { output: 'probe', package: './probe' },
    ],
  },
  containerd: {
    title: 'containerd',
    duration: 'about 1 minute',
    debianPackages: [],
    programs: ['containerd', 'containerd-shim-runc-v2', 'ctr'].map((output) => ({
      output,
      package: `github.com/containerd/containerd/v2/cmd/${output}`,
    })),
  },
  runc: {
    title: 'runc',
    duration: 'about 15 seconds',
    debianPackages: ['gcc', 'libc6-dev', 'pkg-config', 'libseccomp-dev'],
    // It enters namespaces in C, and seccomp is a library.
    programs: [
      {
        output: 'runc',
        package: 'github.com/opencontainers/runc',
        env: { CGO_ENABLED: '1', GOFLAGS: '-tags=seccomp' },
      },
    ],
  },
  helm: {
    title: 'helm',
    duration: 'about 1 minute',
    debianPackages: [],
    programs: [{ output: 'helm', package: 'helm.sh/helm/v3/cmd/helm' }],
  },
}

/** Builds a module unless this version of it is in the cache. @returns the folder with its programs. */
export async function ensureBinaries(name: ModuleName, onProgress: Progress): Promise<string> {
  const source = fileURLToPath(new URL(`go/${name}`, import.meta.url))
  const cache = join(process.env['SCANFLEET_CACHE'] || join(homedir(), '.cache', 'scanfleet'), 'kubernetes')
  const folder = join(cache, `${name}-${hashOf(name, source)}`)
  const bin = join(folder, 'bin')
  if (existsSync(bin)) return bin
  const waiting = () => onProgress(`waiting for another process that builds ${modules[name].title}`)
  await withLock(join(cache, `${name}.lock`), () => build(name, source, cache, folder, onProgress), { onWait: waiting })
  return bin
}

/** Path of kubectl or helm, built when missing. */
export async function toolPath(tool: 'kubectl' | 'helm', onProgress: Progress = () => undefined): Promise<string> {
  return join(await ensureBinaries(tool === 'helm' ? 'helm' : 'kubernetes', onProgress), tool)
}

/** Installs Debian packages unless they are there. @throws a sentence that names them when this user may not. */
export async function ensurePackages(packages: readonly string[]): Promise<void> {
  if (packages.length === 0) return
  await execute([fileURLToPath(new URL('../../scripts/ensure-packages.sh', import.meta.url)), ...packages])
}

async function build(
  name: ModuleName,
  source: string,
  cache: string,
  folder: string,
  onProgress: Progress,
): Promise<void> {
  if (existsSync(folder)) return // the process that held the lock before built it
  const module = modules[name]
  await ensurePackages(module.debianPackages)
  const abandoned = readdirSync(cache).filter((entry) => entry.startsWith(`building-${name}-`))
  for (const entry of abandoned) rmSync(join(cache, entry), { recursive: true })
  const draft = mkdtempSync(join(cache, `building-${name}-`))
  const bin = join(draft, 'bin')
  let stillBuilding: NodeJS.Timeout | undefined
  try {
    mkdirSync(bin)
    onProgress(`building ${module.title} (first time, ${module.duration})`)
    const started = Date.now()
    const seconds = () => Math.round((Date.now() - started) / 1000)
    stillBuilding = setInterval(() => onProgress(`still building ${module.title} after ${seconds()} s`), 30_000)
    for (const program of module.programs) await buildProgram(program, source, bin)
    renameSync(draft, folder)
    onProgress(`built ${module.title} in ${seconds()} s`)
  } finally {
    clearInterval(stillBuilding)
    rmSync(draft, { recursive: true, force: true })
  }
}

async function buildProgram(program: Program, source: string, bin: string): Promise<void> {
  const link = ['-s', '-w', ...(program.flags ?? [])].join(' ')
  const args = [
    'build',
    '-trimpath',
    '-buildvcs=false',
    '-ldflags',
    link,
    '-o',
    join(bin, program.output),
    program.package,
  ]
  await go(args, source, { CGO_ENABLED: '0', ...program.env })
  for (const name of program.links ?? []) symlinkSync(program.output, join(bin, name))
}

function go(args: readonly string[], folder: string, env: Readonly<Record<string, string>>): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('go', args, { cwd: folder, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data))
    child.on('error', (error) =>
      reject(new Error(`Go is needed to build Kubernetes, and it cannot be run: ${error.message}`)),
    )
    child.on('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`go ${args.join(' ')}:\n${output.slice(-4000)}`)),
    )
  })
}

/** Hash of the module's files and of how they are built. */
function hashOf(name: ModuleName, source: string): string {
  const hash = createHash('sha256').update(JSON.stringify(modules[name].programs))
  const files = readdirSync(source, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  for (const path of files.map((entry) => join(entry.parentPath, entry.name)).sort()) {
    hash.update(`${relative(source, path)}\0`).update(readFileSync(path))
  }
  return hash.digest('hex').slice(0, 16)
}
