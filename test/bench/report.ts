/**
 * One job: what a benchmark found, as rows for people and as Markdown for docs/performance.md. Invariant: a row that has a
 * reach says met or not by its own numbers.
 */
import { readFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { toTable } from '../../scripts/demo/tables.ts'

export interface Row {
  /** What was measured, and over how many samples. */
  readonly what: string
  readonly ours: string
  /** The peer or the limit, measured in the same run; absent when there is none. */
  readonly beside?: string
  readonly reach: string
  /** Undefined when there is nothing to hold the figure against. */
  readonly met: boolean | undefined
}

const columns = [
  { title: 'what', of: ({ what }: Row) => what, width: 90 },
  { title: 'ours', of: ({ ours }: Row) => ours, width: 120 },
  { title: 'beside it', of: ({ beside }: Row) => beside ?? '', width: 120 },
  { title: 'reach', of: ({ reach }: Row) => reach },
  { title: '', of: verdict },
]

function verdict({ met }: Row): string {
  return met === undefined ? '' : met ? 'met' : 'MISSED'
}

export function toText(rows: readonly Row[]): string {
  return toTable(rows, columns)
}

export function toMarkdown(rows: readonly Row[], facts: readonly string[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [
    facts.join(' · '),
    '',
    line(columns.map(({ title }) => title)),
    line(columns.map(() => '---')),
    ...rows.map((row) => line(columns.map(({ of }) => of(row)))),
    '',
  ].join('\n')
}

/** What a figure depends on: a reader on another machine has to know it. */
export function machineFacts(): readonly string[] {
  const [first] = cpus()
  const load = readFileSync('/proc/loadavg', 'utf8').split(' ')[0]
  return [
    new Date().toISOString().slice(0, 16).replace('T', ' '),
    `${cpus().length} × ${first?.model.trim() ?? 'unknown processor'}`,
    `${Math.round(totalmem() / 2 ** 30)} GiB`,
    `Linux ${release()}`,
    `Node ${process.versions.node}`,
    `load ${load} at the start`,
  ]
}
