/** What is particular to tokens that people make at GitHub: scopes, expiry, single sign-on, owners. */
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, test } from 'node:test'
import { failures } from '../scm-servers/github/index.ts'
import { failsWith, listAll, repositoryNamed, soon } from './expect.ts'
import { type Host, hostKinds } from './hosts.ts'

const [classic, , fineGrained] = hostKinds
type Kind = NonNullable<typeof classic>
const lists = '/(repos|repositories)$'

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

test('a fine-grained token is refused what its row of the table refuses', async () => {
  const host = await (fineGrained as Kind).start()
  try {
    host.server.script({ path: '/user$', does: failures.notAccessible('metadata=read') })

    await failsWith(host, host.scm().testConnection(soon()), 'PermissionMissing', /metadata:read/)
  } finally {
    await host.stop()
  }
})
