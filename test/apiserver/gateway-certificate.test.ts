import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { connect, createServer, type TLSSocket } from 'node:tls'
import type { Logger } from 'pino'
import { type CertificatePair, waitForCertificate, watchCertificate } from '../../operator/gateway/certificate.ts'
import { resources } from '../../operator/kube/resources.ts'
import { ensureGatewayCertificate } from '../../operator/tls/index.ts'
import { makeFolder } from '../support/gateway.ts'
import { type ControlPlane, openControlPlane, testLog } from '../support/kubernetes.ts'
import { until } from '../support/wait.ts'

const day = 24 * 60 * 60 * 1000

describe('the certificate of the gateway', () => {
  let plane: ControlPlane
  let namespace: string
  const log: Logger = testLog().log

  before(async () => {
    plane = await openControlPlane()
  })
  beforeEach(async () => {
    namespace = await plane.createNamespace('tls')
  })
  after(() => plane?.close())

  const ensure = (daysFromNow = 0, serviceNames = ['gateway']) =>
    ensureGatewayCertificate({
      client: plane.client,
      namespace,
      secretName: 'gateway-tls',
      serviceNames,
      log,
      now: () => new Date(Date.now() + daysFromNow * day),
    })
  const read = async () => {
    const secret = await plane.client.get(resources.secrets, namespace, 'gateway-tls')
    const part = (key: string) => Buffer.from(secret?.data?.[key] ?? '', 'base64').toString()
    return {
      type: secret?.type,
      version: secret?.metadata.resourceVersion,
      cert: part('tls.crt'),
      key: part('tls.key'),
      ca: part('ca.crt'),
    }
  }

  test('it is made once and names the Service in every way that it is called', async () => {
    const { ca, renewAt } = await ensure()
    const made = await read()

    assert.equal(made.type, 'kubernetes.io/tls')
    assert.equal(made.ca, ca)
    const certificate = new X509Certificate(made.cert)
    for (const name of [
      'gateway',
      `gateway.${namespace}`,
      `gateway.${namespace}.svc`,
      `gateway.${namespace}.svc.cluster.local`,
      'localhost',
    ]) {
      assert.equal(certificate.checkHost(name), name)
      await handshake(made, ca, name)
    }
    assert.equal(certificate.checkHost('gateway.other.svc'), undefined)
    const lifetime = certificate.validToDate.getTime() - certificate.validFromDate.getTime()
    assert.ok(Math.abs(renewAt.getTime() - certificate.validFromDate.getTime() - (lifetime * 2) / 3) < 1000)
    await ensure()
    assert.equal((await read()).version, made.version)
  })

  test('two controllers that make it at once end with one', async () => {
    const answers = await Promise.all([ensure(), ensure(), ensure(), ensure()])
    assert.deepEqual(new Set(answers.map(({ ca }) => ca)).size, 1)
    const { ca } = await read()
    assert.equal(answers[0]?.ca, ca)
  })

  test('after two thirds of its life the server certificate is renewed under the same authority', async () => {
    await ensure(-61)
    const before = await read()
    await ensure(-2)
    assert.equal((await read()).cert, before.cert)

    await ensure()

    const renewed = await read()
    assert.notEqual(renewed.cert, before.cert)
    assert.equal(renewed.ca, before.ca)
    await handshake(renewed, before.ca, 'gateway')
  })

  test('after two thirds of its life the authority is renewed, and pods that trust the old one are not cut off', async () => {
    const { ca: old } = await ensure(-562)

    const { ca: bundle } = await ensure(-62)

    const renewed = await read()
    assert.equal(countCertificates(bundle), 2)
    assert.ok(bundle.includes(old.trim()))
    const [newest] = bundle.split(/(?<=-----END CERTIFICATE-----)/)
    await handshake(renewed, old, 'gateway')
    await handshake(renewed, newest ?? '', 'gateway')
    await handshake(renewed, bundle, 'gateway')
    const { ca: later } = await ensure()
    await handshake(await read(), old, 'gateway')
    assert.equal(later, bundle)
    const { ca: much } = await ensure(500)
    assert.ok(!much.includes(old.trim()), 'an authority that has ended is not kept')
  })

  test('a name that was added is covered at once', async () => {
    await ensure()
    await ensure(0, ['gateway', 'other'])
    assert.equal(new X509Certificate((await read()).cert).checkHost('other'), 'other')
  })

  test('a Secret that somebody broke is made anew', async () => {
    await ensure()
    const patch = { data: { 'ca.key': Buffer.from('nonsense').toString('base64') } }
    await plane.client.patch(resources.secrets, namespace, 'gateway-tls', patch, { type: 'merge' })
    const { ca } = await ensure()
    await handshake(await read(), ca, 'gateway')
  })

  test('the gateway waits for the files, never uses half of a pair, and follows a renewal', async () => {
    const folder = await makeFolder()
    const write = async (name: string, text: string) => writeFile(join(folder.path, name), text)
    const waiting = waitForCertificate(folder.path, log, new AbortController().signal)
    await ensure()
    const first = await read()
    await write('tls.crt', first.cert)
    await write('tls.key', first.key)
    const pair = await waiting
    assert.equal(pair.cert, first.cert)

    const seen: CertificatePair[] = []
    const watch = watchCertificate(folder.path, pair, (changed) => seen.push(changed), 5)
    await ensure(61)
    const second = await read()
    await write('tls.crt', second.cert)
    await write('tls.key', second.key)
    await until('the new pair is used', () => seen.length > 0)

    assert.deepEqual(seen, [{ cert: second.cert, key: second.key }])
    watch.stop()
    await folder.remove()
  })
})

function countCertificates(pem: string): number {
  return pem.split('-----BEGIN CERTIFICATE-----').length - 1
}

/** A real handshake of a client that trusts only `ca` and calls the server `name`. Rejects when the client objects. */
async function handshake(pair: { cert: string; key: string }, ca: string, name: string): Promise<void> {
  const server = createServer({ cert: pair.cert, key: pair.key }, (socket) => socket.end())
  server.on('tlsClientError', () => undefined)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  try {
    await new Promise<void>((resolve, reject) => {
      const socket: TLSSocket = connect({ host: '127.0.0.1', port, ca, servername: name }, () => {
        socket.end()
        resolve()
      })
      socket.on('error', reject)
    })
  } finally {
    server.close()
  }
}
