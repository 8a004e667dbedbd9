/** Every way in which GitHub is known to refuse, and the reason and sentence that people then read. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, afterEach, before, describe, test } from 'node:test'
import type { ConnectionReason } from '../../operator/api/conditions.ts'
import { failures, type ScriptedFailure } from '../scm-servers/github/index.ts'
import { failsWith, failure, listAll, repositoryNamed, soon } from './expect.ts'
import { type Host, hostKinds } from './hosts.ts'

const [classic, enterpriseApp, fineGrained, app] = hostKinds
type Kind = NonNullable<typeof app>

interface Row {
  readonly says: string
  readonly does: ScriptedFailure['does']
  readonly reason: ConnectionReason
  readonly text?: RegExp
  /** Seconds from now that the error asks to wait. */
  readonly waits?: number
}

const lists = '/(repos|repositories)$'
const rows: readonly Row[] = [
  {
    says: 'a permission that is not granted',
    does: failures.notAccessible('contents=read; metadata=read'),
    reason: 'PermissionMissing',
    text: /contents:read/,
  },
  {
    says: 'a classic token where the organization bans them',
    does: failures.classicTokensForbidden(),
    reason: 'ForbiddenByPolicy',
  },
  { says: 'an address that is not on the allow list', does: failures.addressNotAllowed(), reason: 'ForbiddenByPolicy' },
  { says: 'a suspended installation', does: failures.installationSuspended(), reason: 'InstallationSuspended' },
  { says: 'too many wrong logins', does: failures.tooManyLogins(), reason: 'RateLimited', waits: 600 },
  { says: 'a secondary limit with Retry-After', does: failures.secondaryLimit(120), reason: 'RateLimited', waits: 120 },
  { says: 'a secondary limit without a time', does: failures.secondaryLimit(), reason: 'RateLimited', waits: 60 },
  { says: 'status 429', does: failures.tooManyRequests(30), reason: 'RateLimited', waits: 30 },
  { says: 'a retired API version', does: failures.retiredVersion(), reason: 'UnexpectedReply', text: /version/ },
  { says: 'a call that it does not understand', does: failures.validation(), reason: 'UnexpectedReply' },
  { says: 'an outage', does: failures.serverError(503), reason: 'HostUnreachable', text: /503/ },
  {
    says: 'a sign-in page with status 200',
    does: failures.signInPage(),
    reason: 'UnexpectedReply',
    text: /sign-in page/,
  },
  { says: 'a page with status 403', does: failures.signInPage(403), reason: 'UnexpectedReply' },
  {
    says: 'a redirect to a sign-in host',
    does: failures.redirect('https://login.example/'),
    reason: 'UnexpectedReply',
  },
  { says: 'a redirect in a circle', does: failures.redirect('?again'), reason: 'UnexpectedReply', text: /redirects/ },
  { says: 'a connection that is cut', does: failures.cut(), reason: 'HostUnreachable' },
  { says: 'an answer of 200 MB', does: failures.huge(200), reason: 'UnexpectedReply', text: /10 MB/ },
]

for (const kind of [classic, app] as Kind[]) {
  describe(`refusals to ${kind.name}`, () => {
    let host: Host
    before(async () => {
      host = await kind.start()
      await host.server.addRepository('shop')
    })
    afterEach(() => host.server.clearScript())
    after(() => host.stop())

    for (const { says, does, reason, text, waits } of rows)
      test(`${says} becomes ${reason}`, async () => {
        host.server.script({ path: lists, does, times: 20 })
        const started = Date.now()

        const error = await failsWith(host, listAll(host.scm()), reason, text)

        if (waits === undefined) assert.equal(error.retryAt, undefined)
        else {
          const seconds = ((error.retryAt?.getTime() ?? 0) - started) / 1000
          assert.ok(seconds >= waits - 1 && seconds <= waits + 60, `asks to wait ${seconds} s`)
        }
      })

    test('a short outage is bridged', async () => {
      host.server.script({ path: lists, does: failures.serverError(), times: 2 })

      assert.equal((await listAll(host.scm())).length, 1)
    })
  })
}

describe('a token', () => {
  let host: Host
  before(async () => {
    host = await (classic as Kind).start()
    await host.server.addRepository('shop')
  })
  afterEach(() => host.server.clearScript())
  after(() => host.stop())
  const withToken = (token: string) => ({ credentials: { kind: 'Token', token } as const })

  test('that is wrong is AuthenticationFailed', async () => {
    await failsWith(host, host.scm(withToken('ghp_wrong')).testConnection(soon()), 'AuthenticationFailed', /new one/)
  })

  test('that is revoked while it is used is AuthenticationFailed, once its moment has passed CredentialExpired', async () => {
    const token = host.server.issueToken({ expiresAt: new Date(Date.now() + 3_600_000) })
    let now = new Date()
    const scm = host.scm({ ...withToken(token), deps: { now: () => now } })
    await scm.testConnection(soon())
    host.server.revokeToken(token)

    await failsWith(host, scm.testConnection(soon()), 'AuthenticationFailed')
    now = new Date(Date.now() + 7_200_000)
    await failsWith(host, scm.testConnection(soon()), 'CredentialExpired', /expired at/)
  })

  test('tells when it expires, and a clone credential made of it tells the same', async () => {
    const expiresAt = new Date(Math.ceil(Date.now() / 1000) * 1000 + 86_400_000)
    const scm = host.scm(withToken(host.server.issueToken({ expiresAt })))

    const report = await scm.testConnection(soon())

    assert.deepEqual(report.expiresAt, expiresAt)
    const shop = await repositoryNamed(scm, 'acme/shop')
    assert.deepEqual((await scm.mintCloneCredential(shop, soon())).expiresAt, expiresAt)
  })

  test('without single sign-on shows where to authorize it, but no address of another host', async () => {
    const scm = host.scm()
    host.server.script({ path: lists, does: failures.samlEnforcement(`${host.server.url}/orgs/acme/sso?request=1`) })
    host.server.script({ path: lists, does: failures.samlEnforcement('https://evil.example/sso') })

    await failsWith(host, listAll(scm), 'SsoAuthorizationRequired', /\/orgs\/acme\/sso/)
    const error = await failsWith(host, listAll(scm), 'SsoAuthorizationRequired')
    assert.doesNotMatch(error.message, /evil/)
  })

  test('for which organizations were left out warns in the test and fails discovery at its end', async () => {
    const scm = host.scm()
    host.server.script({ path: lists, times: 2, does: failures.partialResults([21955855, 20582480]) })

    const report = await scm.testConnection(soon())

    assert.match(report.warnings.join(), /left out the repositories of 2 organization/)
    await failsWith(host, listAll(scm), 'PartialResults')
  })

  test('without the scopes of the features names them', async () => {
    const token = host.server.issueToken({ scopes: ['public_repo'] })
    const scm = host.scm({ ...withToken(token), spec: { features: ['Discovery', 'CommitStatus', 'Membership'] } })

    const report = await scm.testConnection(soon())

    assert.deepEqual(report.granted, ['public_repo'])
    assert.deepEqual(report.missing, ['repo:status', 'read:org'])
    assert.match(report.warnings.join(), /only public repositories/)
  })

  test('that is fine-grained and cannot read code says so', async () => {
    const token = host.server.issueToken({ kind: 'FineGrained', permissions: { metadata: 'read' } })

    const report = await host.scm(withToken(token)).testConnection(soon())

    assert.equal(report.kind, 'FineGrainedToken')
    assert.deepEqual(report.missing, ['contents:read'])
  })

  test('for an owner that does not exist is OwnerNotFound', async () => {
    const organization = host.scm({ spec: { owner: { organization: 'nobody' } } })
    const user = host.scm({ spec: { owner: { user: 'nobody' } } })

    await failsWith(host, organization.testConnection(soon()), 'OwnerNotFound', /organization nobody/)
    await failsWith(host, user.testConnection(soon()), 'OwnerNotFound', /personal account nobody/)
  })

  test('for an organization written as a user says how to write it', async () => {
    const scm = host.scm({ spec: { owner: { user: 'acme' } } })

    await failsWith(host, scm.testConnection(soon()), 'OwnerNotFound', /owner\.organization/)
  })

  test('lists private repositories of its own account', async () => {
    await host.server.addRepository('notes', { owner: 'dana-dev' })
    const scm = host.scm({ spec: { owner: { user: 'Dana-Dev' } } })

    assert.deepEqual(
      (await listAll(scm)).map(({ fullName }) => fullName),
      ['dana-dev/notes'],
    )
    assert.deepEqual((await scm.testConnection(soon())).warnings, [])
  })
})

for (const kind of [enterpriseApp, app] as Kind[])
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

test('a fine-grained token is refused what its row of the table refuses', async () => {
  const host = await (fineGrained as Kind).start()
  try {
    host.server.script({ path: '/user$', does: failures.notAccessible('metadata=read') })

    await failsWith(host, host.scm().testConnection(soon()), 'PermissionMissing', /metadata:read/)
  } finally {
    await host.stop()
  }
})
