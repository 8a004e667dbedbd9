/** Which addresses the operator may connect to, and what a name becomes. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { checkedLookup, isAllowedAddress, resolveAddresses } from '../../../operator/scm/http/addresses.ts'

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

describe('the lookup of a socket', () => {
  const rules = (answers: string[][]) => ({
    allowedPrivateNetworks: ['10.1.0.0/16'],
    resolve: async () => (answers.shift() ?? []).map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
  })
  const look = (lookup: ReturnType<typeof checkedLookup>, options: object) =>
    new Promise<unknown>((resolve, reject) =>
      lookup('github.example', options, (error, address, family) =>
        error ? reject(error) : resolve([address, family]),
      ),
    )

  test('asks once and answers with the judged addresses only, so that a name cannot change in between', async () => {
    const answers = [['10.1.0.5', '192.168.0.1', '2606:50c0:8000::153'], ['192.168.0.1']]
    const lookup = checkedLookup(rules(answers))

    const [found] = (await look(lookup, { all: true })) as [unknown]

    assert.deepEqual(found, [
      { address: '10.1.0.5', family: 4 },
      { address: '2606:50c0:8000::153', family: 6 },
    ])
    assert.equal(answers.length, 1)
    await assert.rejects(look(lookup, { all: true }), { reason: 'AddressRefused' })
  })

  test('answers in the form and family that the socket wants', async () => {
    const both = () => checkedLookup(rules([['10.1.0.5', '2606:50c0:8000::153']]))

    assert.deepEqual(await look(both(), {}), ['10.1.0.5', 4])
    assert.deepEqual(await look(both(), { family: 6 }), ['2606:50c0:8000::153', 6])
    await assert.rejects(look(checkedLookup(rules([['10.1.0.5']])), { family: 6 }), { reason: 'HostNotFound' })
  })
})
