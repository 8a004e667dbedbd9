import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { connect, type TLSSocket } from 'node:tls'
import { gzipSync } from 'node:zlib'
import { standardResultLimits } from '../../operator/gateway/results/route.ts'
import { standardListenerLimits } from '../../operator/gateway/server.ts'
import {
  condition,
  createRepository,
  createWaitingRun,
  type GatewayUnderTest,
  makeFolder,
  readRun,
  startGateway,
  type WaitingRun,
} from '../support/gateway.ts'
import { type ControlPlane, openControlPlane } from '../support/kubernetes.ts'
import { anUpload, aSarifLog, aSarifResult } from '../support/results.ts'
import { until } from '../support/wait.ts'

const megabyte = 1024 * 1024
const text = (json: string) => gzipSync(Buffer.from(json))
const valid = anUpload([{ id: 'one' }])
const withSarif = (sarif: unknown) => ({ ...valid, sarif })
const withPath = (path: string) => withSarif(aSarifLog([{ id: 'one', path }], ['Code', 'SupplyChain', 'Secrets']))
const withResult = (changes: object) => {
  const result = { ...aSarifResult({ id: 'one' }), ...changes }
  const driver = { name: 'semgrep', rules: [] }
  return withSarif({ version: '2.1.0', runs: [{ tool: { driver }, results: [result] }] })
}
const manyResults = (count: number) =>
  withSarif(
    aSarifLog(
      Array.from({ length: count }, (_, index) => ({ id: `f${index}` })),
      ['Code'],
    ),
  )

/** Uploads under a right token, each of which must fail its run with this reason. */
const hostile: readonly { name: string; body: () => unknown; status?: number; reason: string }[] = [
  { name: 'a body of 17 MB', body: () => randomBytes(17 * megabyte), status: 413, reason: 'TooLarge' },
  {
    name: 'one gigabyte of zeros, compressed',
    body: () => gzipSync(Buffer.alloc(1024 * megabyte)),
    status: 413,
    reason: 'TooLarge',
  },
  {
    name: 'ten thousand levels of arrays',
    body: () => text('['.repeat(10_000) + ']'.repeat(10_000)),
    reason: 'TooDeep',
  },
  { name: 'ten thousand levels that never close', body: () => text('{"a":'.repeat(10_000)), reason: 'TooDeep' },
  { name: 'twenty million empty arrays', body: () => text(`[${'[],'.repeat(20_000_000)}0]`), reason: 'TooManyValues' },
  {
    name: 'one text of 20 MB',
    body: () => text(JSON.stringify({ ...valid, more: 'a'.repeat(20 * megabyte) })),
    reason: 'TextTooLong',
  },
  { name: 'a path that leaves the repository', body: () => withPath('../../etc/passwd'), reason: 'SchemaMismatch' },
  {
    name: 'a path that leaves it in the middle',
    body: () => withPath('src/../../etc/passwd'),
    reason: 'SchemaMismatch',
  },
  { name: 'an absolute path', body: () => withPath('/etc/passwd'), reason: 'SchemaMismatch' },
  { name: 'a path with NUL', body: () => withPath('src/a\0b.ts'), reason: 'SchemaMismatch' },
  { name: 'a path with a line feed', body: () => withPath('src/a\nb.ts'), reason: 'SchemaMismatch' },
  { name: 'a path with half a surrogate pair', body: () => withPath('src/\ud800.ts'), reason: 'SchemaMismatch' },
  { name: 'another commit', body: () => ({ ...valid, commit: 'f'.repeat(40) }), reason: 'OtherCommit' },
  { name: 'an engine that is missing', body: () => anUpload([], ['Code', 'Secrets']), reason: 'ProductMissing' },
  { name: 'no engine at all', body: () => ({ ...valid, engines: [] }), reason: 'SchemaMismatch' },
  { name: 'gzip that is cut off', body: () => gzipSync(JSON.stringify(valid)).subarray(0, 100), reason: 'NotGzip' },
  { name: 'JSON that is cut off', body: () => text(JSON.stringify(valid).slice(0, -20)), reason: 'NotJson' },
  { name: 'no gzip', body: () => Buffer.from(JSON.stringify(valid)), reason: 'NotGzip' },
  { name: 'an empty body', body: () => Buffer.alloc(0), reason: 'NotGzip' },
  { name: 'NaN', body: () => text(JSON.stringify(valid).replace('12.5', 'NaN')), reason: 'NotJson' },
  {
    name: 'a number beyond all numbers',
    body: () => text(JSON.stringify(valid).replace('12.5', '1e999')),
    reason: 'SchemaMismatch',
  },
  { name: 'bytes that are not UTF-8', body: () => gzipSync(Buffer.from([0x7b, 0xff, 0xfe, 0x7d])), reason: 'NotUtf8' },
  { name: '10,001 findings', body: () => manyResults(10_001), reason: 'SchemaMismatch' },
  {
    name: 'a severity of its own',
    body: () => withResult({ properties: { product: 'Code', severity: 'Fine' } }),
    reason: 'SchemaMismatch',
  },
  {
    name: 'a fingerprint that is none',
    body: () => withResult({ partialFingerprints: { 'scanfleet/v1': 'x' } }),
    reason: 'SchemaMismatch',
  },
  { name: 'a finding without a place', body: () => withResult({ locations: [] }), reason: 'SchemaMismatch' },
  { name: 'a rule of 300 characters', body: () => withResult({ ruleId: 'r'.repeat(300) }), reason: 'SchemaMismatch' },
  {
    name: 'a message of 5,000 characters',
    body: () => withResult({ message: { text: 'm'.repeat(5000) } }),
    reason: 'SchemaMismatch',
  },
]

describe('what a hostile pod uploads', () => {
  let plane: ControlPlane
  let namespace: string
  let folder: Awaited<ReturnType<typeof makeFolder>>
  let gateway: GatewayUnderTest

  before(async () => {
    plane = await openControlPlane()
    namespace = await plane.createNamespace('hostile')
    folder = await makeFolder()
    await createRepository(plane.client, namespace, 'shop')
    gateway = await startGateway(plane.client, namespace, folder.path, {
      resultLimits: { ...standardResultLimits, tokenWaitMs: 500 },
      listenerLimits: { ...standardListenerLimits, headersMs: 1_000 },
    })
  })
  after(async () => {
    await gateway?.stop()
    await folder?.remove()
    await plane?.close()
  })

  const waitingRun = () => createWaitingRun(plane.client, namespace, 'shop')
  const failed = (run: WaitingRun) =>
    until('the run has failed', async () => {
      const seen = await readRun(plane.client, run)
      return condition(seen, 'Failed') === 'True' ? seen : undefined
    })

  for (const { name, body, status = 422, reason } of hostile) {
    test(`${name}: refused as ${reason}, and the run fails`, async () => {
      const run = await waitingRun()

      const answer = await gateway.upload(run, body())

      assert.deepEqual([answer.status, JSON.parse(answer.body).reason], [status, reason])
      assert.match(String(answer.headers['content-type']), /^application\/problem\+json/)
      const { status: seen } = await failed(run)
      assert.equal(seen?.result, undefined)
      const conditions = Object.fromEntries(
        (seen?.conditions ?? []).map(({ type, status, reason }) => [type, [status, reason]]),
      )
      assert.deepEqual(conditions, {
        Ready: ['False', 'ResultInvalid'],
        Failed: ['True', 'ResultInvalid'],
        Stalled: ['True', 'ResultInvalid'],
      })
      const repeated = await gateway.upload(run, valid)
      assert.equal(repeated.status, 422, 'a good result after a bad one comes too late')
    })
  }

  test('members that nobody asked for are dropped, __proto__ too', async () => {
    const run = await waitingRun()
    const json = JSON.stringify(valid).replace(
      '{"version":1',
      '{"__proto__":{"polluted":true},"admin":true,"version":1',
    )

    assert.equal((await gateway.upload(run, text(json))).status, 200)

    assert.equal((Object.prototype as Record<string, unknown>)['polluted'], undefined)
  })

  test('control characters in texts are replaced, so that no database and no terminal trips over them', async () => {
    const run = await waitingRun()
    const message = { text: 'a\u0000b\u001b[31mc\u202ed\ud800' }
    assert.equal((await gateway.upload(run, withResult({ message }))).status, 200)
  })

  const strangers: readonly { name: string; changes: (run: WaitingRun, other: WaitingRun) => object }[] = [
    { name: 'a token that nobody gave out', changes: () => ({ token: 'x'.repeat(43) }) },
    { name: 'a token that is too short to be one', changes: () => ({ token: 'x' }) },
    { name: "another scan's token", changes: (_run, other) => ({ token: other.token }) },
    { name: 'a scan that does not exist', changes: () => ({ uid: '00000000-0000-0000-0000-000000000000' }) },
    { name: 'another attempt', changes: () => ({ attempt: '2' }) },
    { name: 'an attempt that is no number', changes: () => ({ attempt: '1e0' }) },
    { name: 'a UID of 10,000 characters', changes: () => ({ uid: 'u'.repeat(10_000) }) },
  ]
  for (const { name, changes } of strangers) {
    test(`${name}: refused without a trace on the run`, async () => {
      const [run, other] = [await waitingRun(), await waitingRun()]

      const answer = await gateway.upload(run, valid, changes(run, other))

      assert.deepEqual([answer.status, JSON.parse(answer.body).reason], [401, 'TokenRefused'])
      assert.equal((await gateway.upload(run, valid)).status, 200, 'the true owner is still heard')
    })
  }

  test('a client that never ends its headers is cut off', async () => {
    const socket = await openSocket()
    socket.write('POST /api/v1/scans/a/1/result HTTP/1.1\r\nhost: localhost\r\n')
    await closed(socket)
  })

  test('headers of 32 KB are refused', async () => {
    const answer = await gateway.send('GET', '/', { 'x-long': 'x'.repeat(32 * 1024) })
    assert.equal(answer.status, 431)
  })

  test('a body that stops arriving is given up, and the result may be sent again', async () => {
    const slow = await startGateway(plane.client, namespace, (await makeSlowFolder()).path, {
      resultLimits: { ...standardResultLimits, bodyTimeoutMs: 500 },
    })
    const run = await waitingRun()
    const socket = await openSocket(slow)
    const head = `POST /api/v1/scans/${run.uid}/1/result HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${run.token}\r\n`
    socket.write(`${head}content-length: 1000\r\n\r\nabc`)
    assert.match(await firstLine(socket), /^HTTP\/1\.1 503 /)
    socket.destroy()
    assert.equal((await slow.upload(run, valid)).status, 200)
    await slow.stop()
  })

  for (const full of [{ concurrentUploads: 1 }, { concurrentUploadsOfAddress: 1 }]) {
    test(`more uploads than there is room for are asked to come again: ${JSON.stringify(full)}`, async () => {
      const small = await startGateway(plane.client, namespace, (await makeSlowFolder()).path, {
        resultLimits: { ...standardResultLimits, ...full },
      })
      const run = await waitingRun()
      const socket = await openSocket(small)
      const head = `POST /api/v1/scans/${run.uid}/1/result HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${run.token}\r\n`
      socket.write(`${head}content-length: 1000\r\n\r\nabc`)
      const busy = await until('a second upload is turned away', async () => {
        const answer = await small.upload(run, valid, { token: 'x'.repeat(43) })
        return answer.status === 503 ? answer : undefined
      })
      assert.equal(busy.headers['retry-after'], '2')
      socket.destroy()
      await until('room is made again', async () => (await small.upload(run, valid)).status === 200)
      await small.stop()
    })
  }

  const folders: Awaited<ReturnType<typeof makeFolder>>[] = []
  async function makeSlowFolder() {
    const made = await makeFolder()
    folders.push(made)
    return made
  }
  after(() => Promise.all(folders.map((made) => made.remove())))

  function openSocket(target: GatewayUnderTest = gateway): Promise<TLSSocket> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: 'localhost', port: target.gateway.ports.https, ca: target.ca }, () =>
        resolve(socket),
      )
      socket.on('error', reject)
    })
  }

  function firstLine(socket: TLSSocket): Promise<string> {
    return new Promise((resolve) => socket.once('data', (chunk) => resolve(chunk.toString().split('\r\n')[0] ?? '')))
  }

  function closed(socket: TLSSocket): Promise<void> {
    socket.resume()
    return new Promise((resolve) => socket.once('close', () => resolve()))
  }
})
