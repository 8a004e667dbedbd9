/**
 * Runs tiers of tests one after the other and ends with the line `N passed, N failed`.
 * `node scripts/test.ts [TIER…]` with `--list`; all tiers without arguments. Exit status 1 if anything failed or a tier ran no test.
 */
import { spawn } from 'node:child_process'
import { existsSync, globSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const scratch = join(root, '.local', 'test')

interface Tier {
  readonly name: string
  readonly files: string
  /** Files at once; heavy tiers run one file after the other. */
  readonly concurrency: number
  /** A test that takes longer hangs. Generous, since machines are noisy. */
  readonly timeoutMinutes: number
}

/** In order of cost, so that a small mistake shows early. */
const tiers: readonly Tier[] = [
  { name: 'unit', files: 'test/unit/**/*.test.ts', concurrency: 2, timeoutMinutes: 2 },
  { name: 'contract', files: 'test/contract/**/*.test.ts', concurrency: 1, timeoutMinutes: 5 },
  { name: 'store', files: 'test/store/**/*.test.ts', concurrency: 1, timeoutMinutes: 10 },
  { name: 'apiserver', files: 'test/apiserver/**/*.test.ts', concurrency: 1, timeoutMinutes: 15 },
  { name: 'chart', files: 'test/chart/**/*.test.ts', concurrency: 1, timeoutMinutes: 15 },
  { name: 'containers', files: 'test/containers/**/*.test.ts', concurrency: 1, timeoutMinutes: 30 },
  { name: 'kubernetes', files: 'test/kubernetes/**/*.test.ts', concurrency: 1, timeoutMinutes: 30 },
  { name: 'cluster', files: 'test/cluster/**/*.test.ts', concurrency: 1, timeoutMinutes: 30 },
]

interface Counts {
  passed: number
  failed: number
}

const asked = process.argv.slice(2)
if (asked.includes('--list')) {
  console.log(tiers.map((tier) => tier.name).join('\n'))
  process.exit(0)
}
const unknown = asked.filter((name) => !tiers.some((tier) => tier.name === name))
if (unknown.length > 0) {
  console.error(`No such tier: ${unknown.join(', ')}. There are ${tiers.map((tier) => tier.name).join(', ')}.`)
  process.exit(2)
}

const total: Counts = { passed: 0, failed: 0 }
const rows: string[] = []
for (const tier of tiers) {
  if (asked.length > 0 && !asked.includes(tier.name)) continue
  const started = Date.now()
  const counts = await runTier(tier)
  total.passed += counts.passed
  total.failed += counts.failed
  const row = `${tier.name.padEnd(12)} ${String(counts.passed).padStart(5)} passed ${String(counts.failed).padStart(4)} failed ${String(Math.round((Date.now() - started) / 1000)).padStart(6)} s`
  rows.push(row)
}
console.log(`\n${rows.join('\n')}`)
console.log(`${total.passed} passed, ${total.failed} failed`)
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0

async function runTier(tier: Tier): Promise<Counts> {
  const files = globSync(tier.files, { cwd: root }).sort()
  console.log(`\n=== ${tier.name}: ${files.length} files`)
  if (files.length === 0) return { passed: 0, failed: 1 }
  mkdirSync(scratch, { recursive: true })
  const summary = join(scratch, `${tier.name}.json`)
  rmSync(summary, { force: true })
  const setup = join(root, 'test', tier.name, 'global-setup.ts')
  const status = await run([
    '--test',
    `--test-concurrency=${tier.concurrency}`,
    `--test-timeout=${tier.timeoutMinutes * 60_000}`,
    ...(existsSync(setup) ? [`--test-global-setup=${setup}`] : []),
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    `--test-reporter=${join(root, 'scripts', 'test-summary.ts')}`,
    `--test-reporter-destination=${summary}`,
    ...files,
  ])
  const counts: Counts = existsSync(summary) ? JSON.parse(readFileSync(summary, 'utf8')) : { passed: 0, failed: 1 }
  // A runner that died, or that ran nothing, must not look like success.
  if (counts.failed === 0 && (status !== 0 || counts.passed === 0)) return { ...counts, failed: 1 }
  return counts
}

function run(args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
    child.on('error', reject)
    child.on('exit', (code) => resolve(code ?? 1))
  })
}
