/**
 * Fills the generated blocks of the documents: fields and reasons of each kind, options, metrics. A block stands between
 * `<!-- begin NAME -->` and `<!-- end -->`; what is around it is written by hand. Run by `make generate`.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import { parse } from 'yaml'
import {
  connectionReasons,
  managedScanReasons,
  repositoryReasons,
  scanRunReasons,
} from '../../operator/api/conditions.ts'
import { describeOptions } from '../../operator/config.ts'
import { createMetrics } from '../../operator/telemetry/metrics.ts'

const root = join(import.meta.dirname, '..', '..')

interface Schema {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
  readonly required?: readonly string[]
}

interface Row {
  readonly path: string
  readonly type: string
  readonly value: string
  readonly text: string
}

async function fields(plural: string, part: 'spec' | 'status'): Promise<string> {
  const definition = parse(await readFile(join(root, 'crds', `${plural}.yaml`), 'utf8'))
  const schema: Schema = definition.spec.versions[0].schema.openAPIV3Schema.properties[part]
  const rows: Row[] = []
  collect(schema, part, rows)
  return table(
    ['field', 'type', part === 'spec' ? 'default' : '', 'meaning'],
    rows.map(({ path, type, value, text }) => [`\`${path}\``, type, value, text]),
  )
}

function collect(schema: Schema, path: string, rows: Row[]): void {
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const here = `${path}.${name}`
    const required = schema.required?.includes(name) ? 'required' : ''
    const value =
      field.default === undefined || typeof field.default === 'object' ? required : `\`${String(field.default)}\``
    const choices = field.enum ?? field.items?.enum
    const type = choices ? choices.map((choice) => `\`${String(choice)}\``).join(' ') : typeOf(field)
    rows.push({ path: here, type, value, text: field.description ?? '' })
    if (field.properties) collect(field, here, rows)
    if (field.items?.properties) collect(field.items, `${here}[]`, rows)
  }
}

function typeOf(schema: Schema): string {
  if (schema.type === 'array') return `list of ${schema.items?.type ?? 'values'}`
  return schema.type ?? 'any'
}

function reasons(
  all: Readonly<Record<string, { readonly text: string; readonly stalled?: boolean; readonly final?: boolean }>>,
): string {
  const rows = Object.entries(all).map(([reason, { text, stalled, final }]) => [
    `\`${reason}\``,
    stalled ? 'a person has to act' : final ? 'the run has ended' : '',
    text,
  ])
  return table(['reason', '', 'meaning'], rows)
}

function options(process: 'controller' | 'gateway'): string {
  return table(
    ['flag', 'variable', 'meaning'],
    describeOptions(process).map(({ flag, variable, text }) => [`\`${flag}\``, `\`${variable}\``, text]),
  )
}

async function metrics(): Promise<string> {
  const registry = new Registry()
  createMetrics(registry)
  const rows = (await registry.getMetricsAsJSON()).map(({ name, type, help }) => [`\`${name}\``, String(type), help])
  return table(['metric', 'type', 'meaning'], rows)
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

const blocks: Readonly<Record<string, Readonly<Record<string, () => string | Promise<string>>>>> = {
  'docs/spec/scmconnection.md': {
    spec: () => fields('scmconnections', 'spec'),
    status: () => fields('scmconnections', 'status'),
    reasons: () => reasons(connectionReasons),
  },
  'docs/spec/scmrepository.md': {
    spec: () => fields('scmrepositories', 'spec'),
    status: () => fields('scmrepositories', 'status'),
    reasons: () => reasons(repositoryReasons),
  },
  'docs/spec/managedscan.md': {
    spec: () => fields('managedscans', 'spec'),
    status: () => fields('managedscans', 'status'),
    reasons: () => reasons(managedScanReasons),
  },
  'docs/spec/scanrun.md': {
    spec: () => fields('scanruns', 'spec'),
    status: () => fields('scanruns', 'status'),
    reasons: () => reasons(scanRunReasons),
  },
  'docs/operate.md': { controller: () => options('controller'), gateway: () => options('gateway'), metrics },
}

for (const [file, makers] of Object.entries(blocks)) {
  const path = join(root, file)
  let text = await readFile(path, 'utf8')
  for (const [name, make] of Object.entries(makers)) {
    const begin = `<!-- begin ${name} -->`
    const start = text.indexOf(begin)
    const end = text.indexOf('<!-- end -->', start)
    if (start < 0 || end < 0) throw new Error(`${file} lacks the block ${name}`)
    text = `${text.slice(0, start + begin.length)}\n${await make()}\n${text.slice(end)}`
  }
  await writeFile(path, text)
}
