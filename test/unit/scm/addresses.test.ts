/** Which addresses the operator may connect to, and what a name becomes. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isAllowedAddress, resolveAddresses } from '../../../operator/scm/http/addresses.ts'

const none = { allowedPrivateNetworks: [] }

describe('an address', () => {
  const rows: readonly (readonly [address: string, allowed: boolean])[] = [
    ['140.82.121.6', true],
    ['2606:50c0:8000::153', true],
    ['127.0.0.1', false],
    ['10.1.2.3', false],
    ['172.16.0.1', false],
    ['192.168.1.1', false],
    ['100.64.0.1', false],
    ['169.254.169.254', false],
    ['0.0.0.0', false],
    ['224.0.0.1', false],
    ['255.255.255.255', false],
    ['::1', false],
    ['::', false],
    ['fe80::1', false],
    ['fd00:ec2::254', false],
    ['::ffff:10.0.0.1', false],
    ['::ffff:140.82.121.6', true],
    ['64:ff9b::a00:1', false],
    ['2002:a00:1::', false],
    ['nonsense', false],
  ]
  for (const [address, allowed] of rows)
    test(`${address} is ${allowed ? 'public' : 'refused'}`, () => {
      assert.equal(isAllowedAddress(address, none), allowed)
    })

  test('of an allowed network may be used, also in IPv6 clothes, its neighbours not', () => {
    const rules = { allowedPrivateNetworks: ['10.1.0.0/16', 'fd00:1::/64'] }

    assert.equal(isAllowedAddress('10.1.200.3', rules), true)
    assert.equal(isAllowedAddress('::ffff:10.1.200.3', rules), true)
    assert.equal(isAllowedAddress('fd00:1::9', rules), true)
    assert.equal(isAllowedAddress('10.2.0.1', rules), false)
    assert.equal(isAllowedAddress('fd00:2::9', rules), false)
  })

  test('of the private ranges is refused, whichever it is', () => {
    const byte = fc.integer({ min: 0, max: 255 })
    fc.assert(fc.property(byte, byte, byte, (a, b, c) => !isAllowedAddress(`10.${a}.${b}.${c}`, none)))
    fc.assert(fc.property(byte, byte, byte, (a, b, c) => !isAllowedAddress(`127.${a}.${b}.${c}`, none)))
  })
})

describe('a name', () => {
  const resolvesTo = (...addresses: string[]) => ({
    ...none,
    resolve: async () => addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
  })

  test('becomes its allowed addresses, sorted and without repetition', async () => {
    const rules = resolvesTo('140.82.121.6', '10.0.0.1', '140.82.121.3', '140.82.121.6')

    assert.deepEqual(await resolveAddresses('github.example', rules), ['140.82.121.3', '140.82.121.6'])
  })

  test('with private addresses only is refused', async () => {
    await assert.rejects(resolveAddresses('github.example', resolvesTo('10.0.0.1')), { reason: 'AddressRefused' })
  })

  test('that is an address is judged as one', async () => {
    assert.deepEqual(await resolveAddresses('140.82.121.6', none), ['140.82.121.6'])
    await assert.rejects(resolveAddresses('[::1]', none), { reason: 'AddressRefused' })
  })

  test('that does not resolve is HostNotFound', async () => {
    const resolve = () => Promise.reject(new Error('ENOTFOUND'))

    await assert.rejects(resolveAddresses('github.example', { ...none, resolve }), { reason: 'HostNotFound' })
  })
})
