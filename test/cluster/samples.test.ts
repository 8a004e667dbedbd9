/** Specification of the main job: repositories are discovered and scanned in pods, and their findings reach people. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { z } from 'zod'
import type { ScanRun } from '../../operator/api/kinds.ts'
import { sarifLogSchema } from '../../operator/scan/contract/sarif.ts'
import type { GitHubServer } from '../scm-servers/github/index.ts'
import { openProduct, type Product } from '../support/product.ts'
import { until } from '../support/wait.ts'
import { createTeam, leftovers, outcome, type Team } from './team.ts'

const flawed = ['acme/billing', 'acme/inventory', 'acme/payments-api', 'acme/web-shop']
const clean = 'acme/design-tokens'
const products = ['Code', 'Secrets', 'SupplyChain']

const findingsSchema = z.object({ items: z.array(z.object({ repository: z.string(), product: z.string() })) })

describe('the sample repositories', () => {
  let product: Product
  let host: GitHubServer
  let team: Team
  let runs: readonly ScanRun[]
  const tokens = { reader: '', stranger: '' }

  before(async () => {
    product = await openProduct()
    host = await product.startCodeHost()
    team = await createTeam(product, host, 'samples')
    await team.scan('everything', {
      limits: { concurrent: 3 },
      policy: [{ severities: ['Critical'], action: 'Block' }],
    })
    runs = await team.allOver(flawed.length + 1)
    const here = ['-n', team.namespace]
    const right = ['--verb=get', '--resource=scmrepositories.scanfleet.dev/findings']
    await product.kubectl([...here, 'create', 'role', 'findings', ...right])
    for (const name of ['reader', 'stranger'] as const) {
      await product.kubectl([...here, 'create', 'serviceaccount', name])
      tokens[name] = (await product.kubectl([...here, 'create', 'token', name])).trim()
    }
    const reader = `--serviceaccount=${team.namespace}:reader`
    await product.kubectl([...here, 'create', 'rolebinding', 'findings', '--role=findings', reader])
  })
  after(async () => {
    await team?.remove()
    await host?.stop()
    await product?.close()
  })

  const runOf = (repository: string) => runs.find((run) => run.status?.repository === repository)
  const list = `/api/v1/findings?limit=500&namespace=`

  test('every repository is scanned once, at its newest commit, and the scan succeeds', () => {
    assert.deepEqual(runs.map((run) => run.status?.repository).sort(), [...flawed, clean].sort())
    assert.deepEqual(new Set(runs.map(outcome)), new Set(['True Succeeded']))
    for (const run of runs) assert.match(run.status?.commit ?? '', /^[0-9a-f]{40}$/)
  })

  test('each flawed repository has findings in code, dependencies and secrets; the clean one has none', () => {
    for (const repository of flawed) {
      const { code, secrets, supplyChain } = runOf(repository)?.status?.result?.findings?.byProduct ?? {}
      for (const counts of [code, secrets, supplyChain]) assert.ok((counts?.total ?? 0) > 0, repository)
    }
    assert.equal(runOf(clean)?.status?.result?.findings?.total, 0)
    assert.equal(runOf(clean)?.status?.result?.verdict, 'Clean')
  })

  test('the ManagedScan and the repositories show the sum and the verdict of the policy', async () => {
    const total = runs.reduce((sum, run) => sum + (run.status?.result?.findings?.total ?? 0), 0)
    const get = ['get', 'managedscan', 'everything', '-n', team.namespace, '-o', 'jsonpath={.status}']
    const status = await until('the counts are complete', async () => {
      const seen = JSON.parse(await product.kubectl(get))
      return seen.findings?.total === total && seen
    })
    assert.equal(status.verdict, 'Blocked')
    assert.equal(status.repositories.scanned, runs.length)
    const path = 'jsonpath={range .items[*]}{.spec.fullName}={.status.lastScan.findings.total} {end}'
    const rows = (await product.kubectl(['get', 'scmrepo', '-n', team.namespace, '-o', path])).trim().split(' ')
    const expected = runs.map((run) => `${run.status?.repository}=${run.status?.result?.findings?.total}`)
    assert.deepEqual(rows.sort(), expected.sort())
  })

  test('the evidence of a scan is complete and in order: fence, clone, credential, pod', () => {
    for (const { status } of runs) {
      const seen = status?.evidence ?? {}
      const { fenceProvenTime, cloneStartTime, cloneEndTime, credentialRemovedTime, podDeletedTime } = seen
      const times = [fenceProvenTime, cloneStartTime, cloneEndTime, credentialRemovedTime, podDeletedTime]
      const seconds = times.map((time) => Math.floor(Date.parse(time ?? '') / 1000))
      assert.deepEqual(
        seconds,
        seconds.toSorted((a, b) => a - b),
        JSON.stringify(seen),
      )
      assert.ok(seen.credentialRevokedTime, 'the credential was revoked')
      assert.ok((seen.files ?? 0) > 0 && (seen.bytes ?? 0) > 0)
      assert.match(seen.image ?? '', new RegExp(`:${product.images.scanner.tag}$`))
    }
  })

  test('kubectl shows all of it at a glance: narrow, no hashes, no empty status', async () => {
    const table = await product.kubectl(['get', 'scmconn,mscan,scmrepo,scanrun', '-A'])
    const lines = table.split('\n').filter((line) => line !== '')
    assert.ok(lines.length >= 4 + 1 + 1 + 5 + 5, table)
    assert.deepEqual(
      lines.filter((line) => line.length > 160),
      [],
    )
    assert.doesNotMatch(table, /[0-9a-f]{32}/)
    assert.doesNotMatch(table, /<none>|<unknown>/)
  })

  test('a person with the right reads the findings, and the counts agree with the status', async () => {
    const answer = await product.ask(list + team.namespace, tokens.reader)
    assert.equal(answer.status, 200, answer.body)
    const { items } = findingsSchema.parse(JSON.parse(answer.body))
    for (const repository of flawed) {
      const own = items.filter((finding) => finding.repository === repository)
      assert.equal(own.length, runOf(repository)?.status?.result?.findings?.total)
      assert.deepEqual([...new Set(own.map((finding) => finding.product))].sort(), products)
    }
    assert.deepEqual(
      items.filter(({ repository }) => repository === clean),
      [],
    )
  })

  test('a person without the right, and somebody without a token, get nothing', async () => {
    const stranger = await product.ask(list + team.namespace, tokens.stranger)
    const elsewhere = await product.ask(`${list}default`, tokens.reader)
    const nobody = await product.ask(list + team.namespace)
    assert.deepEqual([stranger.status, elsewhere.status, nobody.status], [403, 403, 401])
    assert.doesNotMatch(`${stranger.body}${elsewhere.body}${nobody.body}`, /acme/)
  })

  test('the findings of a scan are downloaded as valid SARIF', async () => {
    const run = runOf('acme/payments-api')
    const answer = await product.ask(`/api/v1/scans/${run?.metadata.uid}/sarif`, tokens.reader)
    assert.equal(answer.status, 200, answer.body)
    const log = sarifLogSchema.parse(JSON.parse(answer.body))
    const results = log.runs.flatMap((engine) => engine.results)
    assert.equal(results.length, run?.status?.result?.findings?.total)
    assert.deepEqual(log.runs.map(({ tool }) => tool.driver.name).sort(), ['gitleaks', 'osv-scanner', 'semgrep'])
    const refused = await product.ask(`/api/v1/scans/${run?.metadata.uid}/sarif`, tokens.stranger)
    assert.equal(refused.status, 404)
  })

  test('nothing of the scans is left', async () => {
    assert.deepEqual(
      await until('the scan namespace is empty', async () => {
        const left = await leftovers(product)
        return left.length === 0 && [left]
      }),
      [[]],
    )
  })
})
