/**
 * `make bench` and `node test/bench/main.ts [--profile] [NAME…]`: runs the benchmarks, prints a row for each figure and
 * writes all of them as Markdown to .local/bench/. With --profile the controller leaves a CPU profile there, and is slower.
 * Nothing here fails for being slow: a figure that misses its reach is a line to read.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { measureDispatch } from './dispatch.ts'
import { type Installation, install } from './installation.ts'
import { measureLatency } from './latency.ts'
import { measureMemory } from './memory.ts'
import { machineFacts, type Row, toMarkdown, toText } from './report.ts'
import { measureWrites } from './writes.ts'

type Benchmark = (installation: Installation, note: (line: string) => void) => Promise<readonly Row[]>

/** On a control plane without nodes. */
const onControlPlane: Readonly<Record<string, Benchmark>> = {
  latency: measureLatency,
  writes: measureWrites,
  dispatch: measureDispatch,
  memory: measureMemory,
}

const names = Object.keys(onControlPlane)
const asked = process.argv.slice(2).filter((argument) => argument !== '--profile')
const profile = process.argv.includes('--profile')
const unknown = asked.filter((name) => !names.includes(name))
if (unknown.length > 0) {
  console.error(`No such benchmark: ${unknown.join(', ')}. There are ${names.join(', ')}.`)
  process.exit(2)
}
const wanted = asked.length > 0 ? asked : names
const facts = machineFacts()
const note = (line: string) => console.error(`  ${line}`)
const rows: Row[] = []
const folder = join(import.meta.dirname, '..', '..', '.local', 'bench')
mkdirSync(folder, { recursive: true })
console.log(`${facts.join(' · ')}\n`)
await runOnControlPlane(wanted.filter((name) => name in onControlPlane))
const file = join(folder, `${new Date().toISOString().slice(0, 19).replaceAll(':', '')}.md`)
writeFileSync(file, toMarkdown(rows, facts))
console.log(`\n${toText(rows)}\n\nAs Markdown: ${file}`)

async function runOnControlPlane(chosen: readonly string[]): Promise<void> {
  if (chosen.length === 0) return
  const installation = await install({ note, nodeFlags: profile ? ['--cpu-prof', `--cpu-prof-dir=${folder}`] : [] })
  try {
    for (const name of chosen) {
      note(`${name} …`)
      const found = (await onControlPlane[name]?.(installation, note)) ?? []
      for (const row of found) console.log(toText([row]))
      rows.push(...found)
    }
  } finally {
    await installation.stop()
  }
}
