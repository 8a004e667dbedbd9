/** Small pure pieces of the HTTP layer: links, pages, remembered answers. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createEtagCache } from '../../../operator/scm/http/etags.ts'
import { nextLink, type Page, pages, sameOrigin } from '../../../operator/scm/http/paging.ts'

describe('the next page', () => {
  const rows: readonly (readonly [header: string | null, next: string | undefined])[] = [
    ['<https://api.test/r?page=2>; rel="next", <https://api.test/r?page=9>; rel="last"', 'https://api.test/r?page=2'],
    ['<https://api.test/r?page=1>; rel="prev", <https://api.test/r?page=3>; rel="next"', 'https://api.test/r?page=3'],
    ['<https://api.test/r?a=1,2&page=2>; rel="next"', 'https://api.test/r?a=1,2&page=2'],
    ['<https://api.test/r?page=2>; rel=next', 'https://api.test/r?page=2'],
    ['<https://api.test/r?page=2>; rel="last next"', 'https://api.test/r?page=2'],
    ['<https://api.test/r?page=2>; rel="nextish"', undefined],
    ['<https://api.test/r?page=9>; rel="last"', undefined],
    ['nonsense', undefined],
    [null, undefined],
  ]
  for (const [header, next] of rows)
    test(`in ${header} is ${next}`, () => {
      assert.equal(nextLink(header), next)
    })
})

describe('a link', () => {
  test('on the same origin is resolved against its page', () => {
    assert.equal(sameOrigin('?page=2', 'https://api.test/r?page=1'), 'https://api.test/r?page=2')
    assert.equal(sameOrigin('/repositories/7', 'https://api.test/repos/a/b'), 'https://api.test/repositories/7')
  })

  for (const link of [
    'https://evil.test/r',
    'http://api.test/r',
    'https://api.test:8443/r',
    '//evil.test/r',
    'https://me@api.test/r',
    'https://[',
    'file:///etc/passwd',
  ])
    test(`${link} is not followed from https://api.test`, () => {
      assert.throws(() => sameOrigin(link, 'https://api.test/r'), { reason: 'UnexpectedReply' })
    })
})

describe('a list', () => {
  const walk = async (answers: Record<string, Page<number>>) => {
    const all: number[][] = []
    for await (const page of pages(
      'https://api.test/1',
      async (url) => answers[new URL(url).pathname.slice(1)] ?? { items: [] },
      String,
    ))
      all.push([...page])
    return all
  }

  test('gives each entry once, page by page', async () => {
    const list = { 1: { items: [1, 2], next: '/2' }, 2: { items: [2, 3], next: '/3' }, 3: { items: [4] } }

    assert.deepEqual(await walk(list), [[1, 2], [3], [4]])
  })

  test('without entries is one empty page', async () => {
    assert.deepEqual(await walk({ 1: { items: [] } }), [[]])
  })

  test('may end with a page that brings nothing new', async () => {
    assert.deepEqual(await walk({ 1: { items: [1], next: '/2' }, 2: { items: [1] } }), [[1]])
  })

  test('that comes back to a page is refused', async () => {
    await assert.rejects(walk({ 1: { items: [1], next: '/2' }, 2: { items: [2], next: '/1' } }), /does not end/)
  })

  test('that leads on without anything new is refused', async () => {
    await assert.rejects(walk({ 1: { items: [1], next: '/2' }, 2: { items: [1], next: '/3' } }), /does not end/)
  })
})

describe('remembered answers', () => {
  const answer = (bytes: number) => ({ etag: '"a"', status: 200, headers: new Headers(), body: Buffer.alloc(bytes) })

  test('are bounded in bytes: the one that was not used for longest goes first', () => {
    const cache = createEtagCache(30_000)
    cache.set('a', answer(10_000))
    cache.set('b', answer(10_000))
    cache.get('a')

    cache.set('c', answer(10_000))

    assert.deepEqual(
      ['a', 'b', 'c'].map((url) => cache.get(url) !== undefined),
      [true, false, true],
    )
  })

  test('that are larger than all of the room are not kept', () => {
    const cache = createEtagCache(30_000)

    cache.set('a', answer(40_000))

    assert.equal(cache.get('a'), undefined)
  })
})
