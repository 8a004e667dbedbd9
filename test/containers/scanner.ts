/**
 * Runs the scanner image as a pod would: read-only root, no capabilities, user 65532, one workspace between the two
 * containers, secrets as files. Everything lies in a temporary folder that `dispose` removes.
 */
import { spawn } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Termination, terminationMessagePath, terminationSchema } from '../../operator/scan/contract/exit.ts'
import {
  type ClonePlan,
  type Handover,
  handoverSchema,
  planVariable,
  podPaths,
  type ScanPlan,
} from '../../operator/scan/contract/plan.ts'
import type { SarifLog, SarifResult } from '../../operator/scan/contract/sarif.ts'
import { sarifLogSchema } from '../../operator/scan/contract/sarif.ts'
import { loadImage } from '../../scripts/images/build.ts'

export type ContainerEnd = {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
  readonly termination: Termination | undefined
}

export type RunOptions = {
  readonly command: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  /** `host:container[:ro]`. */
  readonly mounts?: readonly string[]
  readonly network?: 'host' | 'none'
  readonly arguments?: readonly string[]
}

export type Scanner = {
  readonly reference: string
  /** Runs a container to its end. */
  readonly run: (options: RunOptions) => Promise<ContainerEnd>
  /** Runs `docker ARGS` against the engine that has the image. */
  readonly docker: (args: readonly string[]) => Promise<string>
}

export async function aScanner(): Promise<Scanner> {
  const { docker, image } = await loadImage('scanner')
  const environment = docker.host === undefined ? process.env : { ...process.env, DOCKER_HOST: docker.host }

  async function run(options: RunOptions): Promise<ContainerEnd> {
    const folder = await mkdtemp(join(tmpdir(), 'scanfleet-termination-'))
    const message = join(folder, 'message')
    await writeFile(message, '')
    await chmod(message, 0o666)
    const args = [
      ...['run', '--rm', '--read-only', '--tmpfs', '/tmp', '--cap-drop', 'ALL', '--user', '65532:65532'],
      ...['--security-opt', 'no-new-privileges', '--network', options.network ?? 'none'],
      ...['--volume', `${message}:${terminationMessagePath}`],
      ...(options.mounts ?? []).flatMap((mount) => ['--volume', mount]),
      ...Object.entries(options.environment ?? {}).flatMap(([key, value]) => ['--env', `${key}=${value}`]),
      ...(options.arguments ?? []),
      image.ref,
      ...options.command,
    ]
    try {
      const end = await collect(spawn('docker', args, { env: environment, stdio: ['ignore', 'pipe', 'pipe'] }))
      const text = await readFile(message, 'utf8')
      return { ...end, termination: text === '' ? undefined : terminationSchema.parse(JSON.parse(text)) }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
  return { reference: image.ref, run, docker: (args) => docker.command(args) }
}

function collect(child: ReturnType<typeof spawn>): Promise<Omit<ContainerEnd, 'termination'>> {
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk))
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) =>
      resolve({
        exitCode: code ?? -1,
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
      }),
    )
  })
}

export type Pod = {
  readonly workspace: string
  readonly secrets: string
  readonly clone: (plan: ClonePlan, options?: Partial<RunOptions>) => Promise<ContainerEnd>
  readonly scan: (plan: ScanPlan, options?: Partial<RunOptions>) => Promise<ContainerEnd>
  readonly handover: () => Promise<Handover>
  readonly dispose: () => Promise<void>
}

/** The volumes of one pod. `secrets` are files by name; a container gets those that its plan names. */
export async function aPod(scanner: Scanner, secrets: Readonly<Record<string, string>>): Promise<Pod> {
  const folder = await mkdtemp(join(tmpdir(), 'scanfleet-pod-'))
  const workspace = join(folder, 'workspace')
  const secretFolder = join(folder, 'secrets')
  await mkdir(workspace)
  await mkdir(secretFolder)
  for (const [name, value] of Object.entries(secrets)) await writeFile(join(secretFolder, name), value)
  for (const path of [folder, secretFolder]) await chmod(path, 0o755)
  await chmod(workspace, 0o777)

  const container = (command: string, plan: unknown, access: 'rw' | 'ro', options: Partial<RunOptions>) =>
    scanner.run({
      command: [command],
      network: 'host',
      ...options,
      environment: { [planVariable]: JSON.stringify(plan), ...options.environment },
      mounts: [
        `${workspace}:${podPaths.workspace}:${access}`,
        `${secretFolder}:${podPaths.secrets}:ro`,
        ...(options.mounts ?? []),
      ],
    })
  return {
    workspace,
    secrets: secretFolder,
    clone: (plan, options = {}) => container('scanfleet-clone', plan, 'rw', options),
    scan: (plan, options = {}) => container('scanfleet-scan', plan, 'ro', options),
    handover: async () => handoverSchema.parse(JSON.parse(await readFile(join(workspace, 'handover.json'), 'utf8'))),
    dispose: () => rm(folder, { recursive: true, force: true }),
  }
}

export type Files = Readonly<Record<string, string | Buffer>>

/** Writes the files into a new folder that the container's user may read. */
export async function aFolder(files: Files): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'scanfleet-tree-'))
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(folder, path, '..'), { recursive: true })
    await writeFile(join(folder, path), content)
  }
  await chmod(folder, 0o755)
  return folder
}

/** Scans the files with all engines, without a pod, and returns the merged SARIF. */
export async function scanFiles(
  scanner: Scanner,
  files: Files,
  options: Partial<RunOptions> & { readonly mode?: '--classic' } = {},
): Promise<ContainerEnd & { readonly sarif: SarifLog | undefined }> {
  const folder = await aFolder(files)
  try {
    const { mode, ...rest } = options
    const end = await scanner.run({
      command: ['scanfleet-scan', 'local', '/src', ...(mode ? [mode] : [])],
      ...rest,
      mounts: [`${folder}:/src:ro`, ...(rest.mounts ?? [])],
    })
    return { ...end, sarif: end.exitCode === 0 ? sarifLogSchema.parse(JSON.parse(end.stdout)) : undefined }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

export function resultsOf(sarif: SarifLog | undefined): SarifResult[] {
  return (sarif?.runs ?? []).flatMap(({ results }) => results)
}

/** `path:line rule`, which is how people name a finding. */
export function placeOf({ ruleId, locations: [location] }: SarifResult): string {
  const place = location?.physicalLocation
  return `${place?.artifactLocation.uri}:${place?.region.startLine} ${ruleId}`
}
