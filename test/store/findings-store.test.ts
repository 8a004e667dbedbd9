import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import type { StoreOptions } from '../../operator/gateway/store/dialects.ts'
import { type FindingsStore, openStore } from '../../operator/gateway/store/index.ts'
import type { FindingFilter } from '../../operator/gateway/store/queries.ts'
import { writeSarif } from '../../operator/report/sarif.ts'
import { aScan, type ScanShape } from '../support/acceptances.ts'
import { makeFolder } from '../support/gateway.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { fingerprintOf } from '../support/results.ts'
import { until } from '../support/wait.ts'

interface Database {
  prepare(): Promise<void>
  /** A database without tables. */
  create(): Promise<StoreOptions>
  /** What the machine does to it at the worst moment. */
  crash(): Promise<void>
  dispose(): Promise<void>
}

for (const [name, database] of Object.entries({ SQLite: sqlite(), PostgreSQL: postgres() })) {
  describe(`the findings store on ${name}`, () => {
    let options: StoreOptions
    let store: FindingsStore

    before(() => database.prepare())
    beforeEach(async () => {
      await store?.close()
      options = await database.create()
      store = await openStore(options)
    })
    after(async () => {
      await store?.close()
      await database.dispose()
    })

    const accept = async (shape: ScanShape) => {
      const scan = aScan(shape)
      const first = await store.accept(scan)
      const summary = (await store.scan(scan.runUid, 1))?.summary
      assert.ok(summary?.outcome === 'Accepted')
      const { total, new: added, known, fixed, reopened } = summary.counts
      return { first, summary, counts: { total, new: added, known, fixed, reopened } }
    }
    const list = async (filter: FindingFilter = {}) =>
      (await store.findings(filter, { limit: 1000 })).map(({ path, state }) => `${state} ${path}`).sort()

    test('a finding is new, then known, then fixed, then reopened', async () => {
      const one = { minute: 1, findings: [{ id: 'a' }, { id: 'b' }] }
      assert.deepEqual((await accept(one)).counts, { total: 2, new: 2, known: 0, fixed: 0, reopened: 0 })
      assert.deepEqual((await accept({ ...one, minute: 2 })).counts, {
        total: 2,
        new: 0,
        known: 2,
        fixed: 0,
        reopened: 0,
      })
      const three = await accept({ minute: 3, findings: [{ id: 'b' }, { id: 'c' }] })
      assert.deepEqual(three.counts, { total: 2, new: 1, known: 1, fixed: 1, reopened: 0 })
      assert.deepEqual(await list(), ['Fixed src/a.ts', 'Open src/b.ts', 'Open src/c.ts'])
      const four = await accept({ minute: 4, findings: [{ id: 'a' }, { id: 'b' }, { id: 'c' }] })
      assert.deepEqual(four.counts, { total: 3, new: 0, known: 2, fixed: 0, reopened: 1 })

      const [reopened] = (await store.findings({}, { limit: 10 })).filter(({ path }) => path === 'src/a.ts')

      assert.equal(reopened?.times_reopened, 1)
      assert.equal(reopened?.fixed_at, null)
      assert.ok(String(reopened?.first_seen_at) < String(reopened?.last_seen_at))
    })

    test('a finding whose lines moved is known, and is listed where it is now', async () => {
      await accept({ minute: 1, findings: [{ id: 'a', line: 3 }] })
      const { counts } = await accept({ minute: 2, findings: [{ id: 'a', line: 90 }] })
      assert.equal(counts.known, 1)
      assert.equal((await store.findings({}, { limit: 1 }))[0]?.start_line, 90)
    })

    test('a product that was not looked for keeps its findings open', async () => {
      const findings = [{ id: 'code' }, { id: 'key', product: 'Secrets' as const }]
      await accept({ minute: 1, products: ['Code', 'Secrets'], findings })
      const { counts } = await accept({ minute: 2, products: ['Code'], findings: [] })
      assert.equal(counts.fixed, 1)
      assert.deepEqual(await list(), ['Fixed src/code.ts', 'Open src/key.ts'])
    })

    test('a scan of another branch is compared and leaves the state alone', async () => {
      await accept({ minute: 1, findings: [{ id: 'a' }, { id: 'b' }] })
      const branch = await accept({ minute: 2, followed: false, branch: 'topic', findings: [{ id: 'b' }, { id: 'c' }] })
      assert.deepEqual(branch.counts, { total: 2, new: 1, known: 1, fixed: 0, reopened: 0 })
      assert.equal(branch.summary.tracked, false)
      assert.deepEqual(await list({ state: 'Open' }), ['Open src/a.ts', 'Open src/b.ts'])
      assert.deepEqual(await list({ state: 'Elsewhere' }), ['Elsewhere src/c.ts'])
      const merged = await accept({ minute: 3, findings: [{ id: 'a' }, { id: 'b' }, { id: 'c' }] })
      assert.equal(merged.counts.new, 1, 'what came by the branch is new where it arrives')
      assert.deepEqual(await list({ state: 'Elsewhere' }), [])
    })

    test('a scan that started before the newest one does not turn the state back', async () => {
      await accept({ minute: 5, findings: [{ id: 'a' }] })
      const late = await accept({ minute: 4, findings: [] })
      assert.deepEqual([late.summary.tracked, late.counts.fixed], [false, 0])
      assert.deepEqual(await list(), ['Open src/a.ts'])
    })

    test('repositories do not see each other', async () => {
      await accept({ minute: 1, findings: [{ id: 'a' }] })
      const other = await accept({ minute: 2, repository: 'blog', findings: [{ id: 'a' }] })
      assert.equal(other.counts.new, 1)
      assert.equal((await accept({ minute: 3, namespace: 'other', findings: [{ id: 'a' }] })).counts.new, 1)
      assert.deepEqual((await store.findings({ namespace: 'other' }, { limit: 9 })).length, 1)
    })

    test('a repository that was renamed keeps its findings', async () => {
      await accept({ minute: 1, findings: [{ id: 'a' }] })
      const scan = aScan({ minute: 2, findings: [{ id: 'a' }] })
      await store.accept({ ...scan, repository: { ...scan.repository, name: 'store', fullName: 'acme/store' } })
      assert.equal((await store.findings({ repository: 'acme/store' }, { limit: 9 })).length, 1)
      assert.equal((await store.findings({ repository: 'acme/shop' }, { limit: 9 })).length, 0)
    })

    test('an attempt has one outcome, whichever comes second', async () => {
      const scan = aScan({ minute: 1, findings: [{ id: 'a' }] })
      assert.equal(await store.accept(scan), true)
      assert.equal(await store.accept({ ...scan, bodyDigest: 'b'.repeat(64) }), false)
      assert.equal(await store.refuse({ ...scan, reason: 'NotJson', message: 'no' }), false)
      assert.equal((await store.scan(scan.runUid, 1))?.bodyDigest, scan.bodyDigest)

      const refused = aScan({ minute: 2, findings: [{ id: 'z' }] })
      assert.equal(await store.refuse({ ...refused, reason: 'NotJson', message: 'no' }), true)
      assert.equal(await store.accept(refused), false)
      assert.deepEqual(await list(), ['Open src/a.ts'])
    })

    test('twenty uploads of one attempt at once are one result', async () => {
      const scan = aScan({ minute: 1, findings: [{ id: 'a' }] })
      const answers = await Promise.all(Array.from({ length: 20 }, () => store.accept(scan)))
      assert.equal(answers.filter((first) => first).length, 1)
    })

    test('twenty scans of one repository at once find each finding new once', async () => {
      const findings = Array.from({ length: 50 }, (_, index) => ({ id: `f${index}` }))
      const scans = Array.from({ length: 20 }, (_, index) => aScan({ minute: 1, runUid: `run-${index}`, findings }))
      await Promise.all(scans.map((scan) => store.accept(scan)))
      const added = await Promise.all(
        scans.map(async ({ runUid }) => {
          const summary = (await store.scan(runUid, 1))?.summary
          return summary?.outcome === 'Accepted' ? (summary.counts.new ?? 0) : -1
        }),
      )
      assert.equal(
        added.reduce((sum, count) => sum + count),
        50,
      )
      assert.equal((await list()).length, 50)
    })

    test('outcomes that no status tells yet outlive a restart, oldest first', async () => {
      await accept({ minute: 2 })
      await accept({ minute: 1 })
      await accept({ minute: 3 })
      await store.markPublished('run-3', 1, 'Written', '2026-01-01T00:00:00Z')
      await store.close()

      store = await openStore(options)

      assert.deepEqual(
        (await store.unpublished(10)).map(({ runUid }) => runUid),
        ['run-1', 'run-2'],
      )
      assert.equal((await store.scan('run-3', 1))?.publication, 'Written')
    })

    test('what was accepted is there after a crash of the database', async () => {
      await accept({ minute: 1, findings: [{ id: 'a' }] })
      await database.crash()
      await until('the store answers again', () => list())
      assert.deepEqual(await list(), ['Open src/a.ts'])
      assert.equal((await accept({ minute: 2, findings: [{ id: 'a' }] })).counts.known, 1)
    })

    test('ten thousand findings are stored, compared and fixed', async () => {
      const findings = Array.from({ length: 10_000 }, (_, index) => ({ id: `f${index}` }))
      assert.equal((await accept({ minute: 1, findings })).counts.new, 10_000)
      assert.equal((await accept({ minute: 2, findings })).counts.known, 10_000)
      assert.equal((await accept({ minute: 3 })).counts.fixed, 10_000)
      assert.equal((await accept({ minute: 4, findings })).counts.reopened, 10_000)
    })

    test('pages follow each other in the order of severity without gaps or repetition', async () => {
      const severities = ['Low', 'Critical', 'Medium', 'High'] as const
      const findings = Array.from({ length: 25 }, (_, index) => ({
        id: `f${index}`,
        severity: severities[index % 4] ?? 'Low',
      }))
      await accept({ minute: 1, findings })
      const seen: { severity: string; path: string }[] = []
      for (let page = await store.findings({}, { limit: 4 }); page.length > 0; ) {
        seen.push(...page)
        const last = page.at(-1)
        page = last ? await store.findings({}, { limit: 4, after: { rank: last.severity_rank, id: last.id } }) : []
      }
      assert.equal(new Set(seen.map(({ path }) => path)).size, 25)
      const order = ['Critical', 'High', 'Medium', 'Low']
      const ranks = seen.map(({ severity }) => order.indexOf(severity))
      assert.deepEqual(ranks, [...ranks].sort())
    })

    test('lists are narrowed by every filter', async () => {
      const findings = [
        { id: 'a', severity: 'Critical' as const, ruleId: 'one' },
        { id: 'b', product: 'Secrets' as const, ruleId: 'two' },
      ]
      await accept({ minute: 1, products: ['Code', 'Secrets'], findings })
      for (const [filter, expected] of [
        [{ product: 'Secrets' }, ['Open src/b.ts']],
        [{ severity: 'Critical' }, ['Open src/a.ts']],
        [{ rule: 'two' }, ['Open src/b.ts']],
        [{ repository: 'acme/shop' }, ['Open src/a.ts', 'Open src/b.ts']],
        [{ repository: 'shop' }, ['Open src/a.ts', 'Open src/b.ts']],
        [{ repository: "shop' or '1'='1" }, []],
        [{ state: 'Fixed' }, []],
      ] as const) {
        assert.deepEqual(await list(filter), expected, JSON.stringify(filter))
      }
    })

    test('a scan is exported as it saw things, a repository as it is', async () => {
      await accept({ minute: 1, findings: [{ id: 'a', line: 3 }, { id: 'b' }] })
      await accept({ minute: 2, findings: [{ id: 'a', line: 90 }, { id: 'c' }] })

      const scan = await store.exportScan('run-1')
      const repository = await store.exportRepository('team', 'shop')

      const lines = (found: typeof repository) =>
        found?.findings.map(({ path, region }) => `${path}:${region.startLine}`).sort()
      assert.deepEqual(lines(scan), ['src/a.ts:3', 'src/b.ts:3'])
      assert.deepEqual(lines(repository), ['src/a.ts:90', 'src/c.ts:3'])
      assert.ok(scan)
      const text = JSON.stringify(writeSarif(scan))
      assert.ok(text.includes(fingerprintOf('a')) && text.includes('"demo.b"'))
      assert.equal(await store.exportScan('run-9'), undefined)
      assert.equal(await store.exportRepository('other', 'shop'), undefined)
    })

    test('texts come back as they went in', async () => {
      const path = 'src/it\'s "quoted" %_\\ ünï 漢字 🙂.ts'
      await accept({ minute: 1, findings: [{ id: 'a', path }] })
      assert.equal((await store.findings({}, { limit: 1 }))[0]?.path, path)
    })
  })
}

function sqlite(): Database {
  let folder: Awaited<ReturnType<typeof makeFolder>>
  let made = 0
  return {
    async prepare() {
      folder = await makeFolder()
    },
    create: async () => ({ kind: 'sqlite', file: join(folder.path, `findings-${made++}.db`) }),
    // The library has no process of its own that could crash; test/store/sqlite-crash.test.ts kills the one it lives in.
    crash: async () => undefined,
    dispose: () => folder.remove(),
  }
}

function postgres(): Database {
  let server: Postgres
  return {
    async prepare() {
      server = await startPostgres()
    },
    create: async () => ({ kind: 'postgres', url: await server.createDatabase(), onLostConnection: () => undefined }),
    crash: () => server.crash(),
    dispose: () => server.stop(),
  }
}
