import assert from 'node:assert/strict'
import { test } from 'node:test'
import { writeSarif } from '../../../operator/report/sarif.ts'
import { sarifLogSchema } from '../../../operator/scan/contract/sarif.ts'
import { aFinding } from '../../support/acceptances.ts'

const input = {
  repository: 'acme/shop',
  commit: 'c'.repeat(40),
  engines: [{ name: 'semgrep', version: '1.0.0' }, { name: 'gitleaks' }],
  findings: [
    { ...aFinding({ id: 'a', path: 'src/a b#?%.ts' }), change: 'Known' as const },
    { ...aFinding({ id: 'b' }), change: 'Reopened' as const, snippet: 'use(b)' },
  ],
  rules: [
    { tool: 'semgrep', rule: { id: 'demo.a' } },
    { tool: 'semgrep', rule: { id: 'unused' } },
  ],
}

test('the log has a run for each engine, also for one that found nothing, and defines only the rules that it uses', () => {
  const log = writeSarif(input)
  assert.deepEqual(
    log.runs.map(({ tool, results }) => [tool.driver.name, results?.length, tool.driver.rules?.map(({ id }) => id)]),
    [
      ['semgrep', 2, ['demo.a']],
      ['gitleaks', 0, []],
    ],
  )
})

test('paths are URI references and the state against the repository is the baseline', () => {
  const results = writeSarif(input).runs[0]?.results ?? []
  assert.equal(results[0]?.locations?.[0]?.physicalLocation?.artifactLocation?.uri, 'src/a%20b%23%3F%25.ts')
  assert.deepEqual(
    results.map(({ baselineState }) => baselineState),
    ['unchanged', 'new'],
  )
})

test('what is written can be read by the schema of uploads', () => {
  assert.equal(sarifLogSchema.safeParse(JSON.parse(JSON.stringify(writeSarif(input)))).success, true)
})
