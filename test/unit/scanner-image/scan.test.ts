/** The pure parts of the scan step: fingerprints, exclusion, masking, escaping, archives. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { repositoryPath } from '../../../operator/scan/contract/result.ts'
import { createFingerprinter } from '../../../scanner-image/scan/fingerprint.ts'
import { createMask } from '../../../scanner-image/scan/sarif.ts'
import { isExcluded } from '../../../scanner-image/scan/scan.ts'
import { printablePath } from '../../../scanner-image/shared/printable.ts'
import { zip } from '../../../scripts/images/zip.ts'

describe('a fingerprint', () => {
  const identity = { product: 'Code', ruleId: 'rule', path: 'a.py', matched: 'eval(x)' }

  test('does not depend on indentation and line breaks', () => {
    const one = createFingerprinter()(identity)
    assert.equal(createFingerprinter()({ ...identity, matched: '  eval(x)\n' }), one)
    assert.match(one, /^[0-9a-f]{64}$/)
  })

  for (const change of [{ product: 'Secrets' }, { ruleId: 'other' }, { path: 'b.py' }, { matched: 'eval(y)' }]) {
    test(`depends on ${Object.keys(change)}`, () => {
      assert.notEqual(createFingerprinter()({ ...identity, ...change }), createFingerprinter()(identity))
    })
  }

  test('tells equal findings apart by their order', () => {
    const fingerprint = createFingerprinter()
    assert.notEqual(fingerprint(identity), fingerprint(identity))
  })
})

describe('exclusion', () => {
  for (const [path, patterns, excluded] of [
    ['vendor/a.js', ['vendor'], true],
    ['vendor/a.js', ['vendor/'], true],
    ['src/vendor/a.js', ['vendor'], false],
    ['src/vendor/a.js', ['**/vendor'], true],
    ['src/a.min.js', ['**/*.min.js'], true],
    ['src/a.js', ['**/*.min.js'], false],
    ['.git/config', [], true],
    ['a.js', [], false],
  ] as const) {
    test(`of ${path} by ${JSON.stringify(patterns)} is ${excluded}`, () => {
      assert.equal(isExcluded(path, patterns), excluded)
    })
  }
})

describe('the mask', () => {
  test('hides a value wherever it stands, and each line of a value that has several', () => {
    const key = '-----BEGIN KEY-----\nMIIabcdefgh\n-----END KEY-----'
    const mask = createMask([{ value: key, preview: '…' }])
    assert.equal(mask('line MIIabcdefgh here'), 'line … here')
  })

  test('hides the longer of two values first', () => {
    const mask = createMask([
      { value: 'secret-1', preview: 'A' },
      { value: 'secret-1-and-more', preview: 'B' },
    ])
    assert.equal(mask('secret-1-and-more secret-1'), 'B A')
  })
})

describe('a path', () => {
  for (const path of ['a\nb.py', 'a\\b.py', 'a\u202eb.py', 'a\u0000b']) {
    test(`${JSON.stringify(path)} fits the contract once it is escaped`, () => {
      assert.ok(repositoryPath.safeParse(printablePath(path)).success)
      assert.ok(!printablePath(path).includes('\u202e'))
    })
  }
})

describe('an archive', () => {
  test('is the same for the same contents, whatever their order', () => {
    const files = new Map([
      ['b.json', Buffer.from('{"b":1}')],
      ['a.json', Buffer.from('x'.repeat(10_000))],
    ])
    assert.deepEqual(zip(new Map([...files].reverse())), zip(files))
  })
})
