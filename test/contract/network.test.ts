/** Hosts that cannot be reached, do not answer, are not trusted, or lie where the operator must not go. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { failures } from '../scm-servers/github/index.ts'
import { failsWith, soon } from './expect.ts'
import { type Host, hostKinds, quick } from './hosts.ts'

const [kind] = hostKinds

describe('the way to a code host', () => {
  let host: Host
  before(async () => {
    assert.ok(kind)
    host = await kind.start()
  })
  after(() => host.stop())

  test('a host that accepts but never answers is HostUnreachable', async () => {
    host.server.script({ does: failures.never(), times: 10 })
    const scm = host.scm({ deps: { timing: { ...quick, timeouts: { headersMs: 200 } } } })

    await failsWith(host, scm.testConnection(soon()), 'HostUnreachable', /does not answer/)
    host.server.clearScript()
  })

  test('a port that nobody listens at is HostUnreachable', async () => {
    const scm = host.scm({ spec: { url: `https://localhost:${await freePort()}` } })

    await failsWith(host, scm.testConnection(soon()), 'HostUnreachable', /refuses the connection/)
  })

  test('a port without TLS is HostUnreachable with a hint', async () => {
    const plain = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(0, '127.0.0.1')
    await once(plain, 'listening')
    const scm = host.scm({ spec: { url: `https://127.0.0.1:${(plain.address() as AddressInfo).port}` } })

    await failsWith(host, scm.testConnection(soon()), 'HostUnreachable', /TLS/)
    plain.close()
  })

  test('a name that does not resolve is HostNotFound', async () => {
    const scm = host.scm({ spec: { url: 'https://no-such-host.invalid' } })

    await failsWith(host, scm.testConnection(soon()), 'HostNotFound', /no-such-host\.invalid/)
  })

  test('an authority that is not public is TlsNotTrusted until the connection brings it', async () => {
    await failsWith(host, host.scm({ ca: undefined }).testConnection(soon()), 'TlsNotTrusted', /caConfigMapRef/)

    await host.scm().testConnection(soon())
  })

  test('a certificate for another name is TlsNotTrusted', async () => {
    const { port } = new URL(host.server.url)
    const resolve = async () => [{ address: '127.0.0.1', family: 4 }]
    const scm = host.scm({ spec: { url: `https://github.other.test:${port}` }, deps: { resolve } })

    await failsWith(host, scm.testConnection(soon()), 'TlsNotTrusted', /another name/)
  })

  test('text that holds no certificate is CaInvalid', async () => {
    const work = async () => host.scm({ ca: 'not a certificate' })

    await failsWith(host, work(), 'CaInvalid', /PEM/)
  })

  test('a key that is no RSA key is PrivateKeyInvalid', async () => {
    const credentials = { kind: 'GitHubApp', appId: 1, privateKey: 'not a key' } as const

    await failsWith(host, (async () => host.scm({ credentials }))(), 'PrivateKeyInvalid', /PEM/)
  })

  test('a provider without a client is ProviderNotAvailable', async () => {
    const work = async () => host.scm({ spec: { provider: 'GitLab' } })

    await failsWith(host, work(), 'ProviderNotAvailable', /GitLab/)
  })
})

describe('addresses that the operator must not go to', () => {
  let host: Host
  before(async () => {
    assert.ok(kind)
    host = await kind.start()
  })
  after(() => host.stop())

  const literals = [
    '127.0.0.1',
    '2130706433',
    '0x7f.1',
    '0177.0.0.1',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '169.254.169.254',
    '10.0.0.1',
    '[fe80::1]',
    '[fd00::1]',
    '0.0.0.0',
    '[64:ff9b::7f00:1]',
  ]
  for (const literal of literals)
    test(`${literal} in the url is AddressRefused before a connection is made`, async () => {
      const scm = host.scm({
        spec: { url: `https://${literal}:${new URL(host.server.url).port}` },
        deps: { allowedPrivateNetworks: [] },
      })

      await failsWith(host, scm.testConnection(soon()), 'AddressRefused', /allowedPrivateNetworks/)
      assert.equal(host.server.stats.calls.length, 0)
    })

  test('a name that resolves to a private address is AddressRefused', async () => {
    const scm = host.scm({ deps: { allowedPrivateNetworks: [] } })

    await failsWith(host, scm.testConnection(soon()), 'AddressRefused')
    assert.equal(host.server.stats.calls.length, 0)
  })

  test('an allowed private network may be used', async () => {
    await host.scm().testConnection(soon())
  })
})

test('limits and calls are measured by connection', async () => {
  assert.ok(kind)
  const host = await kind.start()
  try {
    host.server.state.rateLimit = 5000
    const calls: unknown[] = []
    const remaining: unknown[] = []
    const metrics = {
      observeCall: (...call: unknown[]) => void calls.push(call.slice(0, 3)),
      setRemaining: (...limit: unknown[]) => void remaining.push(limit),
    }

    await host.scm({ deps: { metrics } }).testConnection(soon())

    assert.deepEqual(calls, [
      ['team/acme', 'GET', 200],
      ['team/acme', 'GET', 200],
    ])
    assert.deepEqual(remaining, [
      ['team/acme', 4999, 5000],
      ['team/acme', 4998, 5000],
    ])
  } finally {
    await host.stop()
  }
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
