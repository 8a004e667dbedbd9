import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { plain, toTable } from '../../../scripts/demo/tables.ts'

describe('a table', () => {
  test('is as wide as its longest cells', () => {
    const columns = [
      { title: 'NAME', of: ({ name }: { name: string }) => name },
      { title: 'N', of: ({ name }: { name: string }) => String(name.length) },
    ]
    assert.equal(toTable([{ name: 'a' }, { name: 'longer' }], columns), 'NAME     N\na        1\nlonger   6')
  })

  test('cuts long cells on the side that matters less', () => {
    const of = (text: string) => text
    assert.equal(toTable(['src/deep/file.ts:12'], [{ title: 'X', of, width: 11, keep: 'End' }]), 'X\n…file.ts:12')
    assert.equal(toTable(['a long sentence'], [{ title: 'X', of, width: 7 }]), 'X\na long…')
  })

  test('lets no control or direction character of foreign text through', () => {
    assert.equal(plain('a\u001b[2Jb\u202ec\nd\u2028e'), 'a?[2Jb?c?d?e')
  })
})
