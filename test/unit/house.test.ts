/** Rules of the house that a program can check, so that CI checks them on every commit. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'

const root = join(import.meta.dirname, '..', '..')
const tool = (name: string): string => join(root, 'node_modules', '.bin', name)

/** Fails with what the program printed, for people to read. */
function pass(program: string, args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: root, encoding: 'utf8' })
  if (status !== 0) assert.fail(`${stdout}${stderr}`)
}

function sources(): string[] {
  return globSync('{operator,scanner-image,scripts,test}/**/*.{ts,go,sh}', { cwd: root }).filter(
    (file) => !/operator\/api\/generated|scm-servers\/[^/]+\/repositories|scanner-image\/rules/.test(file),
  )
}

describe('the house', () => {
  it('has no type errors', () => {
    pass(tool('tsc'), ['-p', '.'])
  })

  it('is written in one style', () => {
    pass(tool('biome'), ['check', '--error-on-warnings'])
  })

  it('carries generated files that are current', () => {
    const generated = globSync('{operator/api/generated/*.ts,charts/scanfleet/templates/crds/*.yaml,docs/**/*.md}', {
      cwd: root,
    })
    const read = () => Object.fromEntries(generated.map((file) => [file, readFileSync(join(root, file), 'utf8')]))
    const before = read()
    for (const generator of globSync('scripts/generate/*.ts', { cwd: root })) {
      pass(process.execPath, [join(root, generator)])
    }
    const after = read()
    assert.deepEqual(
      generated.filter((file) => before[file] !== after[file]),
      [],
      'run `make generate` and commit what it writes',
    )
  })

  it('keeps every source file small enough for one job', () => {
    const long = sources().filter((file) => readFileSync(join(root, file), 'utf8').split('\n').length > 351)
    assert.deepEqual(long, [])
  })

  it('switches no test off', () => {
    const off = sources().filter((file) =>
      /\b(it|test|describe|suite)\.(skip|only|todo)\b/.test(readFileSync(join(root, file), 'utf8')),
    )
    assert.deepEqual(off, [])
  })
})
