/** Which repositories a selection means. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { globToRegExp, isSelected, selector } from '../../../operator/scm/repositories.ts'

const shop = { fullName: 'acme/web-shop', topics: ['frontend'], archived: false, fork: false }

describe('a glob over full names', () => {
  const rows: readonly (readonly [glob: string, name: string, matches: boolean])[] = [
    ['acme/*', 'acme/web-shop', true],
    ['acme/*', 'acme/platform/web-shop', false],
    ['acme/**', 'acme/platform/web-shop', true],
    ['**', 'acme/platform/web-shop', true],
    ['*', 'acme/web-shop', false],
    ['*/web-*', 'acme/web-shop', true],
    ['acme/web-shop', 'ACME/Web-Shop', true],
    ['acme/web-sho?', 'acme/web-shop', true],
    ['acme?web-shop', 'acme/web-shop', false],
    ['acme/web.shop', 'acme/web-shop', false],
    ['acme/web-shop', 'acme/web-shop-old', false],
    ['acme/[ab]', 'acme/[ab]', true],
    ['acme/[ab]', 'acme/a', false],
    ['acme/***', 'acme/x', true],
  ]
  for (const [glob, name, matches] of rows)
    test(`${glob} ${matches ? 'means' : 'does not mean'} ${name}`, () => {
      assert.equal(globToRegExp(glob).test(name), matches)
    })

  test('without wildcards means exactly itself', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9_.-]{1,20}\/[A-Za-z0-9_.-]{1,20}$/), (name) =>
        globToRegExp(name).test(name),
      ),
    )
  })
})

describe('a selection', () => {
  test('without any wish takes every repository that is neither archived nor a fork', () => {
    assert.equal(isSelected(shop, {}), true)
    assert.equal(isSelected({ ...shop, archived: true }, {}), false)
    assert.equal(isSelected({ ...shop, fork: true }, {}), false)
  })

  test('takes archived repositories and forks when they are included', () => {
    const select = selector({ archived: 'Include', forks: 'Include' })

    assert.equal(select({ ...shop, archived: true, fork: true }), true)
  })

  test('leaves out what is excluded although it is included', () => {
    assert.equal(isSelected(shop, { include: ['acme/*'], exclude: ['*/web-*'] }), false)
  })

  test('takes a repository that has one of several topics, in any case', () => {
    assert.equal(isSelected(shop, { topics: ['backend', 'FrontEnd'] }), true)
    assert.equal(isSelected(shop, { topics: ['backend'] }), false)
  })

  test('with an empty list is as if the list were absent', () => {
    assert.equal(isSelected(shop, { include: [], exclude: [], topics: [] }), true)
  })
})
