/** The clone container against a real git server over TLS: what it brings, what it refuses, what it leaves behind. */
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { exitCodes } from '../../operator/scan/contract/exit.ts'
import { until } from '../support/wait.ts'
import { aCodeHost, aListener, type CodeHost, endpointOf, type HostileRepository } from './host.ts'
import { aPod, aScanner, type ContainerEnd, type Pod, type Scanner } from './scanner.ts'

describe('the clone container', () => {
  let scanner: Scanner
  let host: CodeHost
  let shop: HostileRepository

  before(async () => {
    scanner = await aScanner()
    host = await aCodeHost()
    shop = await host.addTree('shop', [
      { mode: '100644', name: 'README.md', is: '# Shop\n' },
      { mode: '40000', name: 'src', is: [{ mode: '100644', name: 'main.py', is: 'print("hello")\n' }] },
    ])
  })
  after(() => host.stop())

  async function withPod(work: (pod: Pod) => Promise<void>, token = host.token, ca = host.server.caPem): Promise<void> {
    const pod = await aPod(scanner, { token, 'code-host-ca.crt': ca })
    try {
      await work(pod)
    } finally {
      await pod.dispose()
    }
  }

  function assertFailed(end: ContainerEnd, reason: keyof typeof exitCodes, message: RegExp): void {
    assert.equal(end.termination?.reason, reason, end.stderr)
    assert.match(end.termination?.message ?? '', message)
    assert.equal(end.exitCode, exitCodes[reason])
  }

  test('checks out exactly the commit, without .git, and hands it over', () =>
    withPod(async (pod) => {
      const end = await pod.clone(host.plan(shop))
      assert.equal(end.exitCode, 0, end.stderr)
      assert.deepEqual((await readdir(join(pod.workspace, 'checkout'))).sort(), ['README.md', 'src'])
      assert.equal(await readFile(join(pod.workspace, 'checkout/src/main.py'), 'utf8'), 'print("hello")\n')
      const handover = await pod.handover()
      assert.ok(handover.ok)
      assert.equal(handover.commit, shop.commit)
      assert.deepEqual([handover.files, handover.bytes], [2, 22])
      assert.equal(handover.fenceProvenAt, undefined)
    }))

  test('leaves the token in no file and prints it nowhere', () =>
    withPod(async (pod) => {
      const end = await pod.clone(host.plan(shop))
      assert.equal(end.exitCode, 0, end.stderr)
      const forms = [host.token, Buffer.from(`x-access-token:${host.token}`).toString('base64')]
      for (const form of forms) {
        assert.ok(!`${end.stdout}${end.stderr}`.includes(form))
        for (const file of await readdir(pod.workspace, { recursive: true, withFileTypes: true })) {
          if (!file.isFile()) continue
          const content = await readFile(join(file.parentPath, file.name))
          assert.ok(!content.includes(form), `${file.name} holds the token`)
        }
      }
      const config = await readFile(join(pod.workspace, 'git/config'), 'utf8')
      assert.ok(!config.includes('http'), config)
    }))

  test('uses the credential only after the fence was proven', async () => {
    const forbidden = await aListener()
    const before = host.server.stats.gitCallsWith(host.token)
    await withPod(async (pod) => {
      const plan = host.plan(shop)
      const fence = {
        enforced: true,
        allowed: endpointOf(shop.url),
        forbidden: [{ host: '127.0.0.1', port: forbidden.port }],
        timeoutSeconds: 2,
      }
      const end = await pod.clone({ ...plan, fence })
      assertFailed(end, 'IsolationNotEnforced', /NetworkPolicy/)
      assert.ok(forbidden.connections() > 1, 'it asked again until its time was over')
      assert.equal(host.server.stats.gitCallsWith(host.token), before)
      const handover = await pod.handover()
      assert.ok(!handover.ok && handover.reason === 'IsolationNotEnforced')
    })
    await forbidden.stop()
  })

  test('waits for the fence to close, and says when it had', async () => {
    const forbidden = await aListener()
    await withPod(async (pod) => {
      const fence = {
        enforced: true,
        allowed: endpointOf(shop.url),
        forbidden: [{ host: '127.0.0.1', port: forbidden.port }],
        timeoutSeconds: 60,
      }
      const cloning = pod.clone({ ...host.plan(shop), fence })
      await until('the fence to be tried', () => forbidden.connections() >= 3)
      await forbidden.stop()
      const end = await cloning
      assert.equal(end.exitCode, 0, end.stderr)
      const handover = await pod.handover()
      assert.ok(handover.ok && handover.fenceProvenAt !== undefined)
      assert.ok(handover.fenceProvenAt <= handover.cloneStartedAt)
    })
  })

  test('says that the code host does not answer', async () => {
    const gone = await aListener()
    await gone.stop()
    await withPod(async (pod) => {
      const nowhere = { host: '127.0.0.1', port: gone.port }
      const fence = { enforced: true, allowed: nowhere, forbidden: [nowhere], timeoutSeconds: 1 }
      assertFailed(await pod.clone({ ...host.plan(shop), fence }), 'CodeHostUnreachable', /did not answer within 1 s/)
      const url = shop.url.replace(/:\d+\//, `:${gone.port}/`)
      assertFailed(await pod.clone(host.plan({ ...shop, url })), 'CodeHostUnreachable', /./)
    })
  })

  test('refuses a host whose certificate it does not trust, without sending the token', async () => {
    const other = await aCodeHost()
    const before = host.server.stats.calls.length
    await withPod(
      async (pod) => assertFailed(await pod.clone(host.plan(shop)), 'CodeHostTlsNotTrusted', /caConfigMapRef/),
      host.token,
      other.server.caPem,
    )
    assert.equal(host.server.stats.calls.length, before)
    await other.stop()
  })

  test('a revoked token is refused, after the tries that a fresh one would need', () => {
    const token = host.server.issueToken()
    host.server.revokeToken(token)
    return withPod(async (pod) => {
      assertFailed(await pod.clone(host.plan(shop)), 'CloneRefused', /refused the credential/)
      assert.equal(host.server.stats.gitCallsWith(token), 4)
    }, token)
  })

  test('a token that is not known everywhere yet works at the next try', () => {
    const token = host.server.issueToken()
    host.server.script({ path: '/shop.git/', times: 1, does: { kind: 'Page', status: 403, html: 'not yet' } })
    return withPod(async (pod) => {
      const end = await pod.clone(host.plan(shop))
      assert.equal(end.exitCode, 0, end.stderr)
    }, token)
  })

  test('a commit that is not there, and a repository without commits, are told apart', () =>
    withPod(async (pod) => {
      const missing = { ...shop, commit: 'a'.repeat(40) }
      assertFailed(await pod.clone(host.plan(missing)), 'CommitNotFound', /commit is not in the repository/)
      await host.server.addRepository('empty')
      const url = `${host.server.url}/${host.server.organization}/empty.git`
      assertFailed(await pod.clone(host.plan({ ...missing, url })), 'CommitNotFound', /empty/)
    }))

  test('falls back to the branch where single commits are not served, and insists on the commit', () =>
    withPod(async (pod) => {
      const moved = await host.addTree('moved', [{ mode: '100644', name: 'a', is: 'a\n' }])
      const plan = host.plan({ ...moved, commit: 'b'.repeat(40) }, { ref: 'refs/heads/main' })
      assertFailed(await pod.clone(plan), 'CommitNotFound', /does not point to b{40} any more/)
    }))

  test('does not follow a redirect to another place', () => {
    host.server.script({
      path: '/shop.git/',
      times: 20,
      does: { kind: 'Reply', status: 302, headers: { location: 'https://localhost:1/shop.git/info/refs' } },
    })
    return withPod(async (pod) => {
      const end = await pod.clone(host.plan(shop))
      host.server.clearScript()
      assert.notEqual(end.exitCode, 0)
      assert.ok(!end.stderr.includes('localhost:1 '), 'nobody asked the other place')
    })
  })

  test('a plan that does not fit its schema is refused with the place that is wrong', () =>
    withPod(async (pod) => {
      const end = await pod.clone({ ...host.plan(shop), url: 'http://host/x' })
      assertFailed(end, 'PlanInvalid', /url: /)
    }))
})
