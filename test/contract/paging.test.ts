/** Lists that are long, change while they are read, lead elsewhere or never end. */
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, test } from 'node:test'
import { failures } from '../scm-servers/github/index.ts'
import type { HostedRepository } from '../scm-servers/github/state.ts'
import { failsWith, listAll, soon } from './expect.ts'
import { type Host, hostKinds } from './hosts.ts'

const lists = '/(repos|repositories)$'

for (const kind of hostKinds) {
  describe(`lists of ${kind.name}`, () => {
    let host: Host
    let all: HostedRepository[]
    before(async () => {
      host = await kind.start()
      const first = await host.server.addRepository('first')
      // The rows share one empty git repository: it is the list that matters.
      for (let index = 1; index < 250; index++)
        host.server.state.repositories.push({ ...first, id: first.id + index, name: `repository-${index}` })
      all = host.server.state.repositories
    })
    afterEach(() => host.server.clearScript())
    after(() => host.stop())

    test('all pages are read, a hundred repositories each', async () => {
      const sizes: number[] = []
      for await (const page of host.scm().listRepositories(soon())) sizes.push(page.repositories.length)

      assert.deepEqual(sizes, [100, 100, 50])
      assert.deepEqual(host.server.stats.violations, [])
    })

    test('a repository that moves to the next page while it is read is listed once', async () => {
      const seen: string[] = []
      const newcomer = { ...(all[0] as HostedRepository), id: 99_000, name: 'newcomer' }
      const work = (async () => {
        for await (const page of host.scm().listRepositories(soon())) {
          seen.push(...page.repositories.map(({ id }) => id))
          if (!all.includes(newcomer)) all.unshift(newcomer)
        }
      })()

      // Where the host says how many there are, the change is noticed as well.
      if (kind.mints) await failsWith(host, work, 'UnexpectedReply', /changed while it was read/)
      else await work
      all.shift()
      assert.equal(new Set(seen).size, seen.length)
      assert.ok(seen.includes(String(all.at(-1)?.id)))
    })

    test('a next link to another host is not followed', async () => {
      host.server.script({ path: lists, does: failures.nextPage('https://evil.example/repos?page=2') })

      await failsWith(host, listAll(host.scm()), 'UnexpectedReply', /another host/)
    })

    test('a next link that leads in a circle ends with an error', async () => {
      const first = kind.mints ? '?per_page=100' : '?type=all&sort=full_name&per_page=100'
      host.server.script({ path: lists, does: failures.nextPage(first) })

      await failsWith(host, listAll(host.scm()), 'UnexpectedReply', /does not end/)
    })

    test('pages that bring nothing new but lead on end with an error', async () => {
      const mount = kind.name.includes('Enterprise') ? host.server.apiUrl : host.server.url
      const list = kind.mints ? 'installation/repositories' : 'orgs/acme/repos'
      for (let page = 2; page < 10; page++)
        host.server.script({
          path: lists,
          does: failures.nextPage(`${mount}/${list}?per_page=100&page=1${'0'.repeat(page)}`),
        })

      await failsWith(host, listAll(host.scm()), 'UnexpectedReply', /does not end/)
    })

    if (kind.mints)
      test('a list that became shorter while it was read is not taken for whole', async () => {
        const scm = host.scm()
        const removed: HostedRepository[] = []
        const work = (async () => {
          for await (const _ of scm.listRepositories(soon()))
            if (removed.length === 0) removed.push(...all.splice(0, 1))
        })()

        await failsWith(host, work, 'UnexpectedReply', /changed while it was read/)
        all.unshift(...removed)
      })
  })
}
