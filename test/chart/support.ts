/** One job: run helm on the chart and hand its renderings to tests as plain objects. */
import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseAllDocuments, stringify } from 'yaml'
import { toolPath } from '../kubernetes/cluster.ts'

export const repository = join(import.meta.dirname, '..', '..')
export const chart = join(repository, 'charts', 'scanfleet')
export const release = 'scanfleet'
export const kubeVersion = '1.34.0'

/** Values files of `ci/`, by name without ending. */
export const renderings = readdirSync(join(chart, 'ci')).map((file) => file.replace(/\.yaml$/, ''))

export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** A manifest as helm rendered it. Tests look into it freely, so it is as loose as YAML. */
// biome-ignore lint/suspicious/noExplicitAny: a rendered manifest has every shape that Kubernetes knows.
export type Manifest = any

/** Runs a program to its end, whatever its exit code. */
export function run(program: string, args: readonly string[], input?: string): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      if (error && typeof error.code !== 'number') reject(error)
      else resolve({ code: error ? Number(error.code) : 0, stdout, stderr })
    })
    child.stdin?.end(input)
  })
}

export async function helm(args: readonly string[]): Promise<Outcome> {
  return run(await toolPath('helm', (line) => console.error(line)), args)
}

export function valuesFile(rendering: string): string {
  return join(chart, 'ci', `${rendering}.yaml`)
}

/** Renders the chart with these values over the defaults, or over one of `ci/`. */
export async function template(values: object, rendering = 'default'): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), 'scanfleet-chart-'))
  try {
    const file = join(folder, 'values.yaml')
    await writeFile(file, stringify(values))
    return await helm([
      ...['template', release, chart, '--namespace', 'scanfleet', '--kube-version', kubeVersion],
      ...['--values', valuesFile(rendering), '--values', file],
    ])
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** The manifests of a rendering. @throws what helm says when it refuses the values. */
export async function render(values: object, rendering = 'default'): Promise<readonly Manifest[]> {
  const { code, stdout, stderr } = await template(values, rendering)
  if (code !== 0) throw new Error(stderr)
  return parseAllDocuments(stdout)
    .map((document) => document.toJS())
    .filter((manifest) => manifest !== null)
}

/** Exactly one manifest of this kind and name. @throws when there is none or more. */
export function find(manifests: readonly Manifest[], kind: string, name: string): Manifest {
  const found = manifests.filter((manifest) => manifest.kind === kind && manifest.metadata.name === name)
  if (found.length !== 1) throw new Error(`${found.length} manifests are ${kind} ${name}`)
  return found[0]
}

export function has(manifests: readonly Manifest[], kind: string, name: string): boolean {
  return manifests.some((manifest) => manifest.kind === kind && manifest.metadata.name === name)
}

/** The only container of a Deployment. */
export function containerOf(manifests: readonly Manifest[], deployment: string): Manifest {
  return find(manifests, 'Deployment', deployment).spec.template.spec.containers[0]
}
