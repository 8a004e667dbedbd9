/** What every code host's client does, whatever the host. */
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, test } from 'node:test'
import { failures } from '../scm-servers/github/index.ts'
import { samplesFolder } from '../scm-servers/github/repositories.ts'
import { failsAbout, failsWith, listAll, repositoryNamed, soon } from './expect.ts'
import { type Host, hostKinds } from './hosts.ts'

const source = `${samplesFolder}/design-tokens`

for (const kind of hostKinds) {
  describe(kind.name, () => {
    let host: Host
    before(async () => {
      host = await kind.start()
      await host.server.addRepository('shop', { source, topics: ['tier-1'], language: 'TypeScript' })
      await host.server.addRepository('website', { source, private: false })
      await host.server.addRepository('old', { source, archived: true })
      await host.server.addRepository('copy', { source, fork: true })
      await host.server.addRepository('empty')
    })
    afterEach(() => {
      host.server.clearScript()
      assert.deepEqual(host.server.stats.violations, [])
    })
    after(() => host.stop())

    test('a test of the connection says who the credential is and that nothing is missing', async () => {
      const report = await host.scm().testConnection(soon())

      assert.equal(report.account, kind.mints ? 'scanfleet-demo' : 'dana-dev')
      assert.deepEqual(report.missing, [])
      assert.deepEqual(report.warnings, [])
    })

    test('discovery describes each repository in neutral words', async () => {
      const shop = await repositoryNamed(host.scm(), 'acme/shop')

      assert.deepEqual(shop, {
        id: shop.id,
        fullName: 'acme/shop',
        defaultBranch: 'main',
        cloneUrl: `${host.server.url}/acme/shop.git`,
        webUrl: `${host.server.url}/acme/shop`,
        visibility: 'Private',
        archived: false,
        fork: false,
        topics: ['tier-1'],
        language: 'TypeScript',
        sizeKilobytes: 64,
      })
    })

    test('archived repositories, forks and empty ones are listed as what they are', async () => {
      const all = await listAll(host.scm())
      const byName = new Map(all.map((repository) => [repository.fullName, repository]))

      assert.equal(byName.get('acme/old')?.archived, true)
      assert.equal(byName.get('acme/copy')?.fork, true)
      assert.equal(byName.get('acme/website')?.visibility, 'Public')
      assert.equal(byName.get('acme/empty')?.defaultBranch, undefined)
    })

    test('a second discovery asks only whether something changed', async () => {
      const scm = host.scm()
      const first = await listAll(scm)
      const before = host.server.stats.calls.length

      const second = await listAll(scm)

      assert.deepEqual(second, first)
      const statuses = host.server.stats.calls.slice(before).map(({ status }) => status)
      assert.ok(statuses.length > 0 && statuses.every((status) => status === 304), `${statuses}`)
    })

    test('a new repository appears although the list was known', async () => {
      const scm = host.scm()
      await listAll(scm)

      const added = await host.server.addRepository(`new-${kind.mints}`, { source })

      assert.ok((await listAll(scm)).some(({ id }) => id === String(added.id)))
    })

    test('the head of the default branch is found without naming it', async () => {
      const scm = host.scm()
      const shop = await repositoryNamed(scm, 'acme/shop')

      const head = await scm.resolveHead(shop, undefined, soon())

      assert.equal(head.branch, 'main')
      assert.match(head.commit, /^[0-9a-f]{40}$/)
      assert.deepEqual(await scm.resolveHead(shop, 'main', soon()), head)
    })

    test('a missing branch, an empty repository and a missing repository are told apart', async () => {
      const scm = host.scm()
      const shop = await repositoryNamed(scm, 'acme/shop')
      const empty = await repositoryNamed(scm, 'acme/empty')
      const gone = { ...shop, fullName: 'acme/gone' }

      await failsAbout(host, scm.resolveHead(shop, 'release/1', soon()), 'BranchNotFound')
      await failsAbout(host, scm.resolveHead(empty, undefined, soon()), 'RepositoryEmpty')
      await failsAbout(host, scm.resolveHead(gone, undefined, soon()), 'RepositoryNotFound')
    })

    test('another repository that took the name is not scanned in its place', async () => {
      const scm = host.scm()
      const shop = await repositoryNamed(scm, 'acme/shop')

      await failsAbout(host, scm.resolveHead({ ...shop, id: '99999' }, undefined, soon()), 'RepositoryNotFound')
    })

    test('a clone credential is minted for one repository where the host can do that', async () => {
      const scm = host.scm()
      const shop = await repositoryNamed(scm, 'acme/shop')

      const credential = await scm.mintCloneCredential(shop, soon())

      assert.equal(credential.minted, kind.mints)
      const record = host.server.state.tokens.get(credential.token)
      if (kind.mints) {
        assert.deepEqual(record?.repositoryIds, [Number(shop.id)])
        assert.deepEqual(record?.permissions, { metadata: 'read', contents: 'read' })
        assert.deepEqual(
          credential.expiresAt,
          record?.expiresAt && new Date(`${record.expiresAt.toISOString().slice(0, 19)}Z`),
        )
      }
    })

    test('revoking ends a minted credential, leaves a person’s token alone, and may be repeated', async () => {
      const scm = host.scm()
      const shop = await repositoryNamed(scm, 'acme/shop')
      const credential = await scm.mintCloneCredential(shop, soon())

      await scm.revokeCloneCredential(credential, soon())
      await scm.revokeCloneCredential(credential, soon())

      assert.equal(host.server.state.tokens.get(credential.token)?.revoked, kind.mints)
    })

    test('a limit pauses all calls of the credential until the host’s moment', async () => {
      const reset = new Date(Math.ceil(Date.now() / 1000) * 1000 + 600_000)
      const scm = host.scm()
      host.server.script({ path: '/(repos|repositories)$', does: failures.primaryLimit(reset) })

      const error = await failsWith(host, listAll(scm), 'RateLimited')

      assert.deepEqual(error.retryAt, reset)
      const calls = host.server.stats.calls.length
      await failsWith(host, listAll(scm), 'RateLimited')
      assert.equal(host.server.stats.calls.length, calls, 'no further call was made')
    })

    test('a failure on a later page fails the whole list', async () => {
      host.server.script({ path: '/(repos|repositories)$', does: failures.nextPage(`${host.server.url}/second-page`) })

      await assert.rejects(listAll(host.scm()))
    })

    test('work that is no longer wanted stops', async () => {
      host.server.script({ does: failures.never(), times: 10 })
      const controller = new AbortController()
      const work = host.scm().testConnection(controller.signal)

      controller.abort(new Error('not wanted any more'))

      await assert.rejects(work, /not wanted any more|aborted/)
    })
  })
}
