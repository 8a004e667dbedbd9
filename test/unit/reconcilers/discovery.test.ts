import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { differs, repositoryName, repositorySpec } from '../../../operator/reconcilers/scm-connection/discovery.ts'
import type { Repository } from '../../../operator/scm/types.ts'
import { aRepository } from '../../support/objects.ts'

const shop: Repository = {
  id: '42',
  fullName: 'acme/shop',
  defaultBranch: 'main',
  cloneUrl: 'https://github.com/acme/shop.git',
  webUrl: 'https://github.com/acme/shop',
  visibility: 'Private',
  archived: false,
  fork: false,
  topics: [],
}

describe('the object of a repository', () => {
  test('is named by connection and ID, so that a rename keeps it', () => {
    assert.equal(repositoryName('acme', '42'), 'acme-42')
  })

  test('has a name that Kubernetes takes, and another one for each ID', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (one, other) => {
        const name = repositoryName('acme', one)
        assert.match(name, /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/)
        assert.ok(name.length <= 60)
        if (one !== other) assert.notEqual(name, repositoryName('acme', other))
      }),
    )
  })

  test('is not that of another connection, nor of an ID in other letters', () => {
    assert.notEqual(repositoryName('acme-1', '2'), repositoryName('acme', '1-2'))
    assert.notEqual(repositoryName('acme', 'AB'), repositoryName('acme', 'ab'))
  })

  test('is written when the host says something else, and only then', () => {
    const spec = repositorySpec('acme', shop)
    const object = aRepository('shop', { spec: { ...spec, suspend: true } })
    assert.equal(differs(object, spec), false)
    for (const changed of [
      { ...shop, fullName: 'acme/store' },
      { ...shop, topics: ['tier-1'] },
      { ...shop, archived: true },
      { ...shop, defaultBranch: 'trunk' },
    ])
      assert.equal(differs(object, repositorySpec('acme', changed)), true)
  })

  test('leaves suspension to people', () => {
    assert.equal('suspend' in repositorySpec('acme', shop), false)
  })

  test('of an empty repository has no default branch', () => {
    const { defaultBranch: _, ...empty } = shop
    assert.equal('defaultBranch' in repositorySpec('acme', empty), false)
  })
})
