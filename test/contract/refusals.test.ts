/** Every way in which GitHub is known to refuse, and the reason and sentence that people then read. */
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, test } from 'node:test'
import type { ConnectionReason } from '../../operator/api/conditions.ts'
import { failures, type ScriptedFailure } from '../scm-servers/github/index.ts'
import { failsWith, listAll } from './expect.ts'
import { type Host, hostKinds } from './hosts.ts'

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

for (const kind of hostKinds) {
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
