/** What is particular to GitHub Apps: installations, signatures, minting, narrowing, fresh tokens. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, afterEach, before, describe, test } from 'node:test'
import { failures } from '../scm-servers/github/index.ts'
import { failsWith, failure, listAll, repositoryNamed, soon } from './expect.ts'
import { type Host, hostKinds } from './hosts.ts'

for (const kind of hostKinds.filter(({ mints }) => mints))
  describe(`the App of ${kind.name}`, () => {
    let host: Host
    before(async () => {
      host = await kind.start()
      await host.server.addRepository('shop')
      await host.server.addRepository('vault')
    })
    afterEach(() => {
      host.server.clearScript()
      host.server.state.clockAheadMs = 0
      host.server.state.freshTokenLag = 0
      host.server.state.tokenFormat = 'Short'
      const installation = host.server.state.installations[0]
      if (installation) installation.suspended = false
    })
    after(() => host.stop())

    test('that is not installed tells where to install it', async () => {
      const scm = host.scm({ spec: { owner: { organization: 'elsewhere' } } })

      await failsWith(
        host,
        scm.testConnection(soon()),
        'InstallationNotFound',
        /\/apps\/scanfleet-demo\/installations\/new/,
      )
    })

    test('that is suspended is InstallationSuspended', async () => {
      const [installation] = host.server.state.installations
      assert.ok(installation)
      installation.suspended = true

      await failsWith(host, host.scm().testConnection(soon()), 'InstallationSuspended')
    })

    test('with another key than its own is AuthenticationFailed', async () => {
      const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
      const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
      const scm = host.scm({ credentials: { kind: 'GitHubApp', appId: host.server.app.id, privateKey: pem } })

      await failsWith(host, scm.testConnection(soon()), 'AuthenticationFailed', /private key/)
    })

    test('lacking permissions names them', async () => {
      const scm = host.scm({ spec: { features: ['Discovery', 'Checks', 'Membership'], access: 'ReadWrite' } })

      const report = await scm.testConnection(soon())

      assert.deepEqual(report.missing, ['contents:write', 'members:read'])
    })

    test('narrows the operator’s own token to what the features need', async () => {
      const before = host.server.state.tokens.size

      await host.scm().testConnection(soon())

      const minted = [...host.server.state.tokens.values()].slice(before)
      assert.deepEqual(
        minted.map(({ permissions }) => permissions),
        [{ metadata: 'read', contents: 'read' }],
      )
    })

    test('works while its host’s clock differs by twenty minutes', async () => {
      for (const minutes of [-20, 20]) {
        host.server.state.clockAheadMs = minutes * 60_000
        await host.scm().testConnection(soon())
      }
    })

    test('waits for a fresh token to be known everywhere', async () => {
      host.server.state.freshTokenLag = 2

      assert.equal((await listAll(host.scm())).length, 2)
    })

    test('takes tokens of the long format', async () => {
      host.server.state.tokenFormat = 'Stateless'
      const scm = host.scm()
      const shop = await repositoryNamed(scm, 'acme/shop')

      const credential = await scm.mintCloneCredential(shop, soon())

      assert.ok(credential.token.length > 300 && credential.token.includes('.'))
      await scm.revokeCloneCredential(credential, soon())
      assert.equal(host.server.state.tokens.get(credential.token)?.revoked, true)
    })

    test('that was installed anew under another ID is found again', async () => {
      const scm = host.scm()
      const shop = await repositoryNamed(scm, 'acme/shop')
      const [installation] = host.server.state.installations
      assert.ok(installation)
      installation.id++

      assert.equal((await scm.mintCloneCredential(shop, soon())).minted, true)
    })

    test('mints anew when its token was revoked from outside', async () => {
      const scm = host.scm()
      await listAll(scm)
      for (const record of host.server.state.tokens.values()) record.revoked = true

      assert.equal((await listAll(scm)).length, 2)
    })

    test('has a budget of its own, which says nothing about that of the installation', async () => {
      host.server.state.rateLimit = 1000
      host.server.state.used.clear()
      const remaining: number[] = []
      const metrics = {
        observeCall: () => undefined,
        setRemaining: (_: string, left: number) => void remaining.push(left),
      }
      const scm = host.scm({ deps: { metrics } })
      const [shop] = await listAll(scm)
      assert.ok(shop)

      await scm.mintCloneCredential(shop, soon())

      assert.deepEqual(remaining, [999])
      host.server.state.rateLimit = undefined
    })

    test('mints one token for many calls at once', async () => {
      const before = host.server.state.tokens.size
      const scm = host.scm()

      await Promise.all(Array.from({ length: 8 }, () => listAll(scm)))

      assert.equal(host.server.state.tokens.size - before, 1)
    })

    test('never repeats a mint that may have worked', async () => {
      const scm = host.scm()
      const shop = await repositoryNamed(scm, 'acme/shop')
      const calls = () => host.server.stats.calls.filter(({ method }) => method === 'POST').length
      const before = calls()
      host.server.script({ method: 'POST', does: failures.serverError(), times: 5 })

      await failsWith(host, scm.mintCloneCredential(shop, soon()), 'HostUnreachable')

      assert.equal(calls() - before, 1)
    })

    test('cannot mint for a repository that the installation does not reach', async () => {
      const scm = host.scm()
      const shop = await repositoryNamed(scm, 'acme/shop')

      const error = await failure(host, scm.mintCloneCredential({ ...shop, id: '424242' }, soon()))

      assert.equal(error.subject, 'RepositoryNotFound')
    })

    test('gives two connections tokens of their own', async () => {
      const other = await kind.start()
      try {
        await other.server.addRepository('theirs')

        const [ours, theirs] = await Promise.all([listAll(host.scm()), listAll(other.scm())])

        assert.deepEqual(
          ours.map(({ fullName }) => fullName),
          ['acme/shop', 'acme/vault'],
        )
        assert.deepEqual(
          theirs.map(({ fullName }) => fullName),
          ['acme/theirs'],
        )
      } finally {
        await other.stop()
      }
    })
  })
