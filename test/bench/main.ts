/**
 * `make bench` and `node test/bench/main.ts [--profile] [NAME…]`: runs the benchmarks, prints a row for each figure and
 * writes all of them as Markdown to .local/bench/. With --profile the controller leaves a CPU profile there, and is slower.
 * Nothing here fails for being slow: a figure that misses its reach is a line to read.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { measureDispatch } from './dispatch.ts'
import { measureFence } from './fence.ts'
import { type Installation, install } from './installation.ts'
import { measureLatency } from './latency.ts'
import { measureMemory } from './memory.ts'
import { type Node, startNode } from './node.ts'
import { machineFacts, type Row, toMarkdown, toText } from './report.ts'
import { measureSmallScans } from './small.ts'
import { measureWrites } from './writes.ts'

type Benchmark<Place> = (place: Place, note: (line: string) => void) => Promise<readonly Row[]>
type Benchmarks<Place> = Readonly<Record<string, Benchmark<Place>>>

const onControlPlane: Benchmarks<Installation> = {
  latency: measureLatency,
  writes: measureWrites,
  dispatch: measureDispatch,
  memory: measureMemory,
}

const onNode: Benchmarks<Node> = {
  fence: measureFence,
  small: measureSmallScans,
}

const names = [...Object.keys(onControlPlane), ...Object.keys(onNode)]
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
const nodeFlags = profile ? ['--cpu-prof', `--cpu-prof-dir=${folder}`] : []
await runOn(onControlPlane, () => install({ note, nodeFlags }))
await runOn(onNode, () => startNode(note))
const file = join(folder, `${new Date().toISOString().slice(0, 19).replaceAll(':', '')}.md`)
writeFileSync(file, toMarkdown(rows, facts))
console.log(`\n${toText(rows)}\n\nAs Markdown: ${file}`)

/** Runs those of these benchmarks that are wanted, in one place that is made for them and taken down after them. */
async function runOn<Place extends { stop(): Promise<void> }>(
  benchmarks: Benchmarks<Place>,
  start: () => Promise<Place>,
): Promise<void> {
  const chosen = Object.entries(benchmarks).filter(([name]) => wanted.includes(name))
  if (chosen.length === 0) return
  const place = await start()
  try {
    for (const [name, measure] of chosen) {
      note(`${name} …`)
      const found = await measure(place, note)
      for (const row of found) note(toText([row]).split('\n').at(-1) ?? '')
      rows.push(...found)
    }
  } finally {
    await place.stop()
  }
}
