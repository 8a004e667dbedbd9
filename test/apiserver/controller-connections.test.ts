/**
 * Specification of what a connection says when something is wrong with it: its own reason, a sentence that names Secret and
 * key, one event, few calls, and that it heals by itself when the cause goes.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { resources } from '../../operator/kube/resources.ts'
import { failures, type ScriptedFailure, startGitHubServer } from '../scm-servers/github/index.ts'
import {
  type ControllerUnderTest,
  configMap,
  connect,
  openSite,
  type Site,
  scanAll,
  startController,
  writeSecret,
} from '../support/controller.ts'
import { readiness } from '../support/pods.ts'
import { until } from '../support/wait.ts'

const forever = Number.POSITIVE_INFINITY

describe('a connection', () => {
  let site: Site
  let controller: ControllerUnderTest | undefined

  before(async () => {
    site = await openSite({ repositories: ['shop', 'pay'] })
    await connect(site)
    controller = await startController(site)
    await until('the connection is ready', isReady)
  })
  after(async () => {
    await controller?.stop()
    await site?.stop()
  })

  async function isReady(): Promise<boolean> {
    return readiness(await site.connection()) === 'True Connected'
  }

  /** How often events have told this reason; the same sentence again raises a count. */
  async function toldBy(reason: string): Promise<number> {
    const { items } = await site.client.list(resources.events, site.namespaces.team)
    const own = items.filter((event) => event.reason === reason && event.involvedObject.kind === 'ScmConnection')
    return own.reduce((sum, { count = 1 }) => sum + count, 0)
  }

  const refuseAll = (does: ScriptedFailure['does']) => async () => site.host.script({ does, times: forever })
  const answerAgain = async () => site.host.clearScript()
  const goodToken = () => writeSecret(site, 'acme-token', { token: site.host.issueToken() })

  interface Case {
    readonly what: string
    readonly reason: string
    readonly says?: RegExp
    breaks(): Promise<unknown>
    heals(): Promise<unknown>
  }

  const cases: readonly Case[] = [
    {
      what: 'without its Secret',
      reason: 'SecretNotFound',
      breaks: () => site.remove(resources.secrets, 'acme-token'),
      heals: goodToken,
    },
    {
      what: 'whose Secret lacks the key',
      reason: 'SecretKeyMissing',
      says: /Its keys are: TOKEN/,
      async breaks() {
        await site.remove(resources.secrets, 'acme-token')
        await writeSecret(site, 'acme-token', { TOKEN: 'fake' })
      },
      heals: goodToken,
    },
    {
      what: 'whose Secret is empty',
      reason: 'SecretEmpty',
      breaks: () => writeSecret(site, 'acme-token', { token: ' \n' }),
      heals: goodToken,
    },
    {
      what: 'with a wrong token',
      reason: 'AuthenticationFailed',
      breaks: () => writeSecret(site, 'acme-token', { token: 'ghp_000000000000000000000000000000000000' }),
      heals: goodToken,
    },
    {
      what: 'with a token of a kind that the organization forbids',
      reason: 'ForbiddenByPolicy',
      breaks: refuseAll(failures.classicTokensForbidden()),
      heals: answerAgain,
    },
    {
      what: 'from an address that the organization does not allow',
      reason: 'ForbiddenByPolicy',
      says: /IP allow list|address/i,
      breaks: refuseAll(failures.addressNotAllowed()),
      heals: answerAgain,
    },
    {
      what: 'whose token is not authorized for single sign-on',
      reason: 'SsoAuthorizationRequired',
      breaks: refuseAll(failures.samlEnforcement('https://github.example.com/orgs/acme/sso')),
      heals: answerAgain,
    },
    {
      what: 'that is asked to wait',
      reason: 'RateLimited',
      breaks: refuseAll(failures.tooManyRequests(2)),
      heals: answerAgain,
    },
    {
      what: 'to a host that hangs up',
      reason: 'HostUnreachable',
      breaks: refuseAll(failures.cut()),
      heals: answerAgain,
    },
    {
      what: 'to a sign-in page',
      reason: 'UnexpectedReply',
      breaks: refuseAll(failures.signInPage()),
      heals: answerAgain,
    },
    {
      what: 'whose certificates are gone',
      reason: 'CaNotFound',
      says: /ConfigMap acme-ca/,
      breaks: () => site.remove(resources.configMaps, 'acme-ca'),
      heals: () => site.apply(configMap('acme-ca', { 'ca.crt': site.host.caPem })),
    },
    {
      what: 'whose certificates are of somebody else',
      reason: 'TlsNotTrusted',
      async breaks() {
        const other = await startGitHubServer({ samples: false })
        await other.stop()
        await site.apply(configMap('acme-ca', { 'ca.crt': other.caPem }))
      },
      heals: () => site.apply(configMap('acme-ca', { 'ca.crt': site.host.caPem })),
    },
  ]

  for (const { what, reason, says = /acme-token/, breaks, heals } of cases)
    it(`${what} is ${reason}, and heals`, async (t) => {
      t.after(heals)
      const toldBefore = await toldBy(reason)
      await breaks()
      const connection = await until(`the connection is ${reason}`, async () => {
        const seen = await site.connection()
        return readiness(seen) === `False ${reason}` && seen
      })
      const { calls } = site.host.stats
      const before = calls.length
      await sleep(3000)

      const message = connection.status?.conditions?.find(({ type }) => type === 'Ready')?.message ?? ''
      assert.match(message, says)
      assert.doesNotMatch(message, /ghp_/)
      assert.ok(calls.length - before <= 16, `${calls.length - before} calls in three seconds`)
      await until('an event tells it', async () => (await toldBy(reason)) > toldBefore)
      assert.equal(await toldBy(reason), toldBefore + 1, 'once')
      await heals()
      await until('it is ready again', isReady)
    })

  it('with a token that has expired is refused, and heals', async () => {
    await writeSecret(site, 'acme-token', { token: site.host.issueToken({ expiresAt: new Date(Date.now() - 1000) }) })
    await until('it is refused', async () =>
      ['False CredentialExpired', 'False AuthenticationFailed'].includes(readiness(await site.connection())),
    )
    await goodToken()
    await until('it is ready again', isReady)
  })

  const discoverAgain = async (value: string) => {
    const metadata = { annotations: { 'scanfleet.dev/requestedAt': value } }
    await site.client.patch(resources.scmConnections, site.namespaces.team, 'acme', { metadata }, { type: 'merge' })
    await until('it has looked', async () => (await site.connection())?.status?.lastHandledRequest === value)
  }
  const byName = async () => new Map((await site.repositories()).map((one) => [one.spec.fullName, one]))

  it('keeps the object of a repository that is renamed', async () => {
    const before = (await byName()).get('acme/shop')
    const hosted = site.host.state.repositories.find(({ name }) => name === 'shop')
    assert.ok(before && hosted)
    hosted.name = 'store'

    await discoverAgain('renamed')

    const seen = await byName()
    assert.equal(seen.get('acme/store')?.metadata.uid, before.metadata.uid)
    assert.equal(seen.size, 2)
  })

  it('marks a repository that is listed no more, keeps it, and takes the mark away when it is back', async () => {
    const { repositories } = site.host.state
    const index = repositories.findIndex(({ name }) => name === 'pay')
    const [taken] = repositories.splice(index, 1)
    assert.ok(taken)

    await discoverAgain('short')
    const missing = (await byName()).get('acme/pay')
    assert.ok(missing?.status?.missingSince)
    assert.equal(readiness(missing), 'False Missing')

    repositories.push(taken)
    await discoverAgain('whole')
    const back = (await byName()).get('acme/pay')
    assert.equal(back?.status?.missingSince, undefined)
    assert.equal(readiness(back), 'True Discovered')
  })

  it('marks nothing when the list breaks off', async () => {
    site.host.script({ path: '/repos$', does: failures.serverError(), times: forever })
    await discoverAgain('broken')
    site.host.clearScript()
    await until('it is ready again', isReady)

    assert.equal(
      [...(await byName()).values()].some(({ status }) => status?.missingSince),
      false,
    )
  })

  it('that is deleted leaves its repositories, unless it was told to purge them', async () => {
    await site.remove(resources.scmConnections, 'acme')
    await site.apply(scanAll())
    await until(
      'the ManagedScan misses it',
      async () => readiness(await site.managedScan()) === 'False ConnectionNotFound',
    )
    assert.equal((await site.repositories()).length, 2)

    await connect(site, { deletionPolicy: 'Purge' })
    await until('it has its finalizer', async () => (await site.connection())?.metadata.finalizers?.length === 1)
    await site.remove(resources.managedScans, 'all')
    await site.remove(resources.scmConnections, 'acme')

    await until('it is gone', async () => (await site.connection()) === undefined)
    assert.deepEqual(await site.repositories(), [])
  })
})
