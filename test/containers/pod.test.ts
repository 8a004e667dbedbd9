/** Both containers of a scan pod over one workspace, and a gateway that takes, refuses or is away. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { exitCodes } from '../../operator/scan/contract/exit.ts'
import { podPaths, type ScanPlan } from '../../operator/scan/contract/plan.ts'
import { type Upload, uploadSchema } from '../../operator/scan/contract/result.ts'
import { sarifLogSchema } from '../../operator/scan/contract/sarif.ts'
import { tlsIdentity } from '../scm-servers/tls.ts'
import { aCodeHost, type CodeHost, type HostileRepository } from './host.ts'
import { aPod, aScanner, type ContainerEnd, type Pod, placeOf, resultsOf, type Scanner } from './scanner.ts'

const uploadToken = 'one-time-token-of-this-test'
const fakeSecret = ['ghp', 'x9K2mQ7vR4tL8nW3pZ6sB1cD5fG0hJ2kM4qT'].join('_')

type Gateway = {
  readonly url: string
  readonly caPem: string
  readonly uploads: readonly Upload[]
  readonly calls: () => number
  /** Statuses of the next answers; 201 when the list is empty. */
  readonly answers: number[]
  readonly stop: () => Promise<void>
}

async function aGateway(): Promise<Gateway> {
  const identity = await tlsIdentity(['localhost'])
  const uploads: Upload[] = []
  const answers: number[] = []
  let calls = 0
  const server = createServer({ cert: identity.certificatePem, key: identity.keyPem }, (request, response) => {
    const body: Buffer[] = []
    request.on('data', (chunk: Buffer) => body.push(chunk))
    request.on('end', () => {
      calls += 1
      const known = request.headers.authorization === `Bearer ${uploadToken}`
      const status = known ? (answers.shift() ?? 201) : 401
      if (status === 201) uploads.push(uploadSchema.parse(JSON.parse(gunzipSync(Buffer.concat(body)).toString())))
      response.writeHead(status).end('as the test says')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `https://localhost:${(server.address() as AddressInfo).port}/api/v1/scans/uid/1/result`,
    caPem: identity.caPem,
    uploads,
    answers,
    calls: () => calls,
    stop: async () => {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

describe('the two containers of a scan pod', () => {
  let scanner: Scanner
  let host: CodeHost
  let repository: HostileRepository

  before(async () => {
    scanner = await aScanner()
    host = await aCodeHost()
    repository = await host.addTree('app', [
      { mode: '100644', name: 'app.py', is: `eval(x)\nkey = "${fakeSecret}"\n` },
      { mode: '100644', name: 'requirements.txt', is: 'pyyaml==5.3\n' },
      { mode: '40000', name: 'vendor', is: [{ mode: '100644', name: 'old.py', is: 'eval(y)\n' }] },
    ])
  })
  after(() => host.stop())

  async function withPod(work: (pod: Pod, gateway: Gateway) => Promise<void>): Promise<void> {
    const gateway = await aGateway()
    const pod = await aPod(scanner, {
      token: host.token,
      'code-host-ca.crt': host.server.caPem,
      'upload-token': uploadToken,
      'gateway-ca.crt': gateway.caPem,
    })
    try {
      await work(pod, gateway)
    } finally {
      await pod.dispose()
      await gateway.stop()
    }
  }

  function planFor(gateway: Gateway, changes: Partial<ScanPlan> = {}): ScanPlan {
    return {
      run: { uid: 'uid', namespace: 'team', name: 'run', attempt: 1 },
      commit: repository.commit,
      products: ['Code', 'SupplyChain', 'Secrets'],
      exclude: [],
      semgrep: { mode: 'Native' },
      honourSuppressions: false,
      limits: { engineTimeoutSeconds: 120, handoverTimeoutSeconds: 60 },
      upload: {
        url: gateway.url,
        tokenFile: `${podPaths.secrets}/upload-token`,
        caFile: `${podPaths.secrets}/gateway-ca.crt`,
        timeoutSeconds: 30,
      },
      ...changes,
    }
  }

  function assertFailed(end: ContainerEnd, reason: keyof typeof exitCodes, message: RegExp): void {
    assert.equal(end.termination?.reason, reason, end.stderr)
    assert.match(end.termination?.message ?? '', message)
    assert.equal(end.exitCode, exitCodes[reason])
  }

  test('run side by side and deliver one result with evidence, and without a secret', () =>
    withPod(async (pod, gateway) => {
      const [scanned, cloned] = await Promise.all([pod.scan(planFor(gateway)), pod.clone(host.plan(repository))])
      assert.equal(cloned.exitCode, 0, cloned.stderr)
      assert.equal(scanned.exitCode, 0, scanned.stderr)
      const [upload, ...others] = gateway.uploads
      assert.ok(upload && others.length === 0)
      assert.equal(upload.commit, repository.commit)
      assert.deepEqual(upload.engines.map(({ product }) => product).sort(), ['Code', 'Secrets', 'SupplyChain'])
      assert.equal(upload.evidence.files, 3)
      const places = resultsOf(sarifLogSchema.parse(upload.sarif)).map(placeOf)
      for (const place of [
        'app.py:1 python-code-from-text',
        'app.py:2 github-pat',
        'vendor/old.py:1 python-code-from-text',
      ]) {
        assert.ok(places.includes(place), `${place} in ${places.join(', ')}`)
      }
      for (const text of [JSON.stringify(upload), scanned.stdout, scanned.stderr, cloned.stdout, cloned.stderr]) {
        for (const secret of [fakeSecret, uploadToken, host.token]) assert.ok(!text.includes(secret))
      }
    }))

  test('scan only what the plan names', () =>
    withPod(async (pod, gateway) => {
      await pod.clone(host.plan(repository))
      const end = await pod.scan(planFor(gateway, { products: ['Code'], exclude: ['vendor'] }))
      assert.equal(end.exitCode, 0, end.stderr)
      assert.deepEqual(resultsOf(sarifLogSchema.parse(gateway.uploads[0]?.sarif)).map(placeOf), [
        'app.py:1 python-code-from-text',
      ])
    }))

  test('hide what the repository asks to hide only when the plan honours it, and count it', () =>
    withPod(async (pod, gateway) => {
      const quiet = await host.addTree('quiet', [
        { mode: '100644', name: 'a.py', is: 'eval(x)  # nosemgrep\neval(y)\n' },
      ])
      await pod.clone(host.plan(quiet))
      const plan = planFor(gateway, { commit: quiet.commit, products: ['Code'], honourSuppressions: true })
      const end = await pod.scan(plan)
      assert.equal(end.exitCode, 0, end.stderr)
      const upload = gateway.uploads[0]
      assert.deepEqual(resultsOf(sarifLogSchema.parse(upload?.sarif)).map(placeOf), ['a.py:2 python-code-from-text'])
      assert.equal(upload?.engines[0]?.suppressed, 1)
    }))

  test('keep the credential out of every process argument and environment while they run', () =>
    withPod(async (pod, gateway) => {
      const token = host.server.issueToken()
      await writeFile(join(pod.secrets, 'token'), token)
      // A refusal first: the clone waits a second before it tries again, so that there is something to look at.
      host.server.script({ path: '/app.git/', does: { kind: 'Page', status: 403, html: 'not yet' } })
      const cloning = pod.clone(host.plan(repository))
      const scanning = pod.scan(planFor(gateway))
      let running = true
      let looks = 0
      let seen = 0
      const looking = (async () => {
        while (running) {
          for (const text of processTexts()) {
            if (text.includes('SCANFLEET_PLAN')) seen += 1
            assert.ok(!text.includes(token) && !text.includes(uploadToken))
          }
          looks += 1
          await new Promise((resolve) => setTimeout(resolve, 10))
        }
      })()
      const ends = await Promise.all([cloning, scanning])
      running = false
      await looking
      assert.deepEqual(
        ends.map(({ exitCode }) => exitCode),
        [0, 0],
        ends.map(({ stderr }) => stderr).join(),
      )
      assert.ok(looks > 10 && seen > 10, `${looks} looks saw ${seen} processes of the pod`)
    }))

  test('say that nothing was handed over, with the reason of the clone', () =>
    withPod(async (pod, gateway) => {
      await pod.clone(host.plan({ ...repository, commit: 'a'.repeat(40) }))
      assertFailed(await pod.scan(planFor(gateway)), 'NothingHandedOver', /CommitNotFound/)
      assert.equal(gateway.calls(), 0)
    }))

  test('do not wait for a clone that never speaks', () =>
    withPod(async (pod, gateway) => {
      const plan = planFor(gateway, { limits: { engineTimeoutSeconds: 60, handoverTimeoutSeconds: 1 } })
      assertFailed(await pod.scan(plan), 'NothingHandedOver', /within 1 s/)
    }))

  test('deliver when the gateway comes back, and take "already accepted" for success', () =>
    withPod(async (pod, gateway) => {
      await pod.clone(host.plan(repository))
      gateway.answers.push(503, 503)
      assert.equal((await pod.scan(planFor(gateway))).exitCode, 0)
      assert.equal(gateway.uploads.length, 1)
      gateway.answers.push(409)
      assert.equal((await pod.scan(planFor(gateway))).exitCode, 0)
    }))

  test('end with the reason when the gateway refuses, finds it too large, or stays away', () =>
    withPod(async (pod, gateway) => {
      await pod.clone(host.plan(repository))
      gateway.answers.push(403)
      assertFailed(await pod.scan(planFor(gateway)), 'ResultRefused', /403/)
      gateway.answers.push(413)
      assertFailed(await pod.scan(planFor(gateway)), 'ResultTooLarge', /413/)
      const plan = planFor(gateway)
      const away = { ...plan.upload, url: 'https://localhost:1/', timeoutSeconds: 1 }
      assertFailed(await pod.scan({ ...plan, upload: away }), 'ResultNotDelivered', /within 1 s/)
    }))

  test('do not speak to a gateway whose certificate is not of the named authority', () =>
    withPod(async (pod, gateway) => {
      await pod.clone(host.plan(repository))
      const plan = planFor(gateway)
      const upload = { ...plan.upload, caFile: `${podPaths.secrets}/code-host-ca.crt`, timeoutSeconds: 1 }
      assertFailed(await pod.scan({ ...plan, upload }), 'ResultNotDelivered', /certificate/)
      assert.equal(gateway.calls(), 0)
    }))

  test('stop an engine that passes its time', () =>
    withPod(async (pod, gateway) => {
      const line = `${'abcdefghij0123456789 '.repeat(50)}\n`
      const large = await host.addTree(
        'large',
        Array.from({ length: 40 }, (_, i) => ({
          mode: '100644' as const,
          name: `f${String(i).padStart(2, '0')}.txt`,
          is: `${i}${line.repeat(950)}`,
        })),
      )
      await pod.clone(host.plan(large))
      const limits = { engineTimeoutSeconds: 1, handoverTimeoutSeconds: 10 }
      const end = await pod.scan(planFor(gateway, { commit: large.commit, products: ['Secrets'], limits }))
      assertFailed(end, 'EngineTimedOut', /gitleaks passed its limit of 1 s/)
    }))
})

/** Arguments and environment of every process that this user may look at. */
function processTexts(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => ['cmdline', 'environ'].map((file) => readOrNothing(`/proc/${pid}/${file}`)))
}

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
