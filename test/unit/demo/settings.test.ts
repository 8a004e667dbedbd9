import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { readSettings, root } from '../../../scripts/demo/settings.ts'

describe('what the demo is asked for', () => {
  test('is a cluster and a code host of its own when nothing is said', () => {
    assert.deepEqual(readSettings({}), {
      target: { kind: 'Local' },
      source: { kind: 'DemoHost', repositories: [] },
      userNamespaces: true,
    })
  })

  test('is an existing cluster only when it is named', () => {
    assert.deepEqual(readSettings({ KUBECONFIG: '/some/file' }).target, { kind: 'Local' })
    assert.deepEqual(
      readSettings({ SCANFLEET_CONTEXT: 'kind-a', SCANFLEET_REGISTRY: 'registry.example.com/team/' }).target,
      {
        kind: 'Context',
        context: 'kind-a',
        registry: 'registry.example.com/team',
      },
    )
  })

  test('is the real GitHub only when an organization is named, whatever token lies around', () => {
    assert.equal(readSettings({ GITHUB_TOKEN: 'x' }).source.kind, 'DemoHost')
    assert.deepEqual(readSettings({ GITHUB_TOKEN: 'x', GITHUB_ORG: 'acme' }).source, {
      kind: 'GitHub',
      token: 'x',
      organization: 'acme',
    })
    assert.throws(() => readSettings({ GITHUB_ORG: 'acme' }), /GITHUB_TOKEN has to be too/)
    assert.throws(() => readSettings({ GITHUB_ORG: 'acme', GITHUB_TOKEN: 'x', REPOS: root }), /set one of them/)
  })

  test('takes local repositories, and says which folder is none', () => {
    assert.deepEqual(readSettings({ REPOS: ` ${root} ` }).source, { kind: 'DemoHost', repositories: [root] })
    assert.throws(() => readSettings({ REPOS: join(root, 'docs') }), /docs, which is no git repository/)
  })
})
