/** The pure pieces of the GitHub client: permissions, expiry, descriptions, refusals, signatures. */
import assert from 'node:assert/strict'
import { generateKeyPairSync, verify } from 'node:crypto'
import { describe, test } from 'node:test'
import { acceptedPermissions, explain, organizationsLeftOut, Refusal } from '../../../operator/scm/github/failures.ts'
import { readPrivateKey, signAppToken } from '../../../operator/scm/github/jwt.ts'
import { expiryOf, toRepository } from '../../../operator/scm/github/map.ts'
import { repositorySchema } from '../../../operator/scm/github/schema.ts'
import {
  grantedPermissions,
  missingPermissions,
  missingScopes,
  neededPermissions,
  scopesIn,
} from '../../../operator/scm/github/scopes.ts'
import { createLimiters } from '../../../operator/scm/limiters.ts'
import type { ScmOptions } from '../../../operator/scm/types.ts'

const now = new Date('2026-06-01T12:00:00Z')

describe('permissions', () => {
  test('are those of all features together', () => {
    assert.deepEqual(neededPermissions({ access: 'Read', features: ['Discovery'] }), {
      metadata: 'read',
      contents: 'read',
    })
    assert.deepEqual(
      neededPermissions({
        access: 'ReadWrite',
        features: ['Checks', 'Comments', 'CommitStatus', 'Webhooks', 'Membership'],
      }),
      {
        metadata: 'read',
        contents: 'write',
        checks: 'write',
        pull_requests: 'write',
        statuses: 'write',
        members: 'read',
      },
    )
  })

  test('to write include those to read, not the other way round', () => {
    const spec = { access: 'Read', features: ['Checks'] } as const

    assert.deepEqual(
      missingPermissions(
        { ...spec, features: [...spec.features] },
        { metadata: 'read', contents: 'write', checks: 'read' },
      ),
      ['checks:write'],
    )
    assert.deepEqual(
      grantedPermissions(
        { ...spec, features: [...spec.features] },
        { metadata: 'read', contents: 'write', checks: 'read', issues: 'write' },
      ),
      {
        metadata: 'read',
        contents: 'read',
      },
    )
  })

  test('of a classic token are its scopes; a wider one will do', () => {
    const features = ['CommitStatus', 'Comments', 'Membership', 'Webhooks'] as [
      'CommitStatus',
      'Comments',
      'Membership',
      'Webhooks',
    ]

    assert.deepEqual(missingScopes({ access: 'Read', features }, scopesIn('repo, admin:org,admin:repo_hook')), [])
    assert.deepEqual(missingScopes({ access: 'ReadWrite', features }, []), [
      'repo',
      'repo:status',
      'read:org',
      'admin:org_hook',
    ])
    assert.match(missingScopes({ access: 'Read', features: ['Checks'] }, ['repo']).join(), /only a GitHub App/)
  })

  test('that a call would accept are read from its first alternative', () => {
    const headers = new Headers({ 'x-accepted-github-permissions': 'pull_requests=write,contents=read; issues=write' })

    assert.deepEqual(acceptedPermissions(headers), ['pull_requests:write', 'contents:read'])
    assert.deepEqual(acceptedPermissions(new Headers({ 'x-accepted-github-permissions': '<b>x</b>=read' })), [])
  })
})

describe('the expiry of a token', () => {
  const rows: readonly (readonly [header: string | null, at: string | undefined])[] = [
    ['2026-11-10 11:20:42 UTC', '2026-11-10T11:20:42.000Z'],
    ['2026-11-10 11:20:42 +0500', '2026-11-10T06:20:42.000Z'],
    ['2026-06-01 12:00:00 UTC', undefined],
    ['2020-01-01 00:00:00 UTC', undefined],
    ['2026-13-40 11:20:42 UTC', undefined],
    ['tomorrow', undefined],
    [null, undefined],
  ]
  for (const [header, at] of rows)
    test(`from ${header} is ${at ?? 'unknown'}`, () => {
      assert.equal(expiryOf(header, now)?.toISOString(), at)
    })
})

describe('a repository', () => {
  const raw = {
    id: 7,
    full_name: 'acme/shop',
    html_url: 'https://github.test/acme/shop',
    clone_url: 'https://github.test/acme/shop.git',
    default_branch: 'main',
    private: true,
    fork: false,
    pushed_at: '2026-01-05T09:00:00Z',
  }
  const map = (change: object) => toRepository(repositorySchema.parse({ ...raw, ...change }), 'https://github.test')

  test('keeps an ID that is too large for a number exactly', () => {
    assert.equal(map({ id: 9007199254740993n }).id, '9007199254740993')
  })

  test('that is internal to an enterprise is neither public nor private', () => {
    assert.equal(map({ visibility: 'internal' }).visibility, 'Internal')
    assert.equal(map({ private: false }).visibility, 'Public')
  })

  test('that was never pushed to has no default branch', () => {
    assert.equal(map({ pushed_at: null }).defaultBranch, undefined)
    assert.equal(map({ size: 0, created_at: raw.pushed_at }).defaultBranch, undefined)
    assert.equal(map({ size: 0, created_at: '2025-01-01T00:00:00Z' }).defaultBranch, 'main')
  })

  for (const clone_url of [
    'https://evil.test/acme/shop.git',
    'https://github.test:444/acme/shop.git',
    'https://me:secret@github.test/acme/shop.git',
  ])
    test(`with the clone address ${clone_url} is refused, since a credential would be sent there`, () => {
      assert.throws(() => map({ clone_url }), { reason: 'UnexpectedReply' })
    })

  for (const change of [
    { clone_url: 'file:///etc/passwd' },
    { clone_url: 'http://github.test/a/b.git' },
    { full_name: 'a/b/../c' },
    { full_name: 'a/b\nc' },
    { id: -1 },
    { id: 'x' },
    { topics: 'x' },
    { html_url: 'javascript:alert(1)' },
  ])
    test(`with ${JSON.stringify(change)} does not pass the schema`, () => {
      assert.equal(repositorySchema.safeParse({ ...raw, ...change }).success, false)
    })
})

describe('a refusal', () => {
  const about = { now, credential: 'Token', webOrigin: 'https://github.test' } as const
  const refusal = (status: number, text = '', headers: Record<string, string> = {}) =>
    new Refusal(status, new Headers({ 'content-type': 'application/json', ...headers }), text)

  test('never repeats what the host wrote', () => {
    for (const status of [400, 401, 403, 404, 409, 410, 422, 429, 500, 503]) {
      const error = explain(
        refusal(status, 'canary-text', { 'x-github-sso': 'required; url=https://evil.test/canary-text' }),
        about,
      )

      assert.doesNotMatch(`${error.message} ${error.stack}`, /canary-text/)
    }
  })

  test('with 403 is a limit, a policy or a permission by what stands in it', () => {
    assert.equal(
      explain(refusal(403, '', { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1800000000' }), about).reason,
      'RateLimited',
    )
    assert.equal(explain(refusal(403, 'IP allow list enabled'), about).reason, 'ForbiddenByPolicy')
    assert.equal(explain(refusal(403, 'Resource not accessible by integration'), about).reason, 'PermissionMissing')
    assert.equal(
      explain(refusal(403, 'Resource not accessible', { 'x-ratelimit-remaining': '4999' }), about).reason,
      'PermissionMissing',
    )
  })

  test('that speaks of time means the clock, not the key', () => {
    assert.match(
      explain(refusal(401, "'Expiration time' claim ('exp') is too far in the future"), { ...about, credential: 'App' })
        .message,
      /clocks/,
    )
  })

  test('tells how many organizations were left out', () => {
    assert.equal(organizationsLeftOut(new Headers({ 'x-github-sso': 'partial-results; organizations=1,2' })), 2)
    assert.equal(organizationsLeftOut(new Headers()), 0)
  })
})

describe('the signature of an App', () => {
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 })

  for (const type of ['pkcs1', 'pkcs8'] as const)
    test(`is made with a key in ${type}, also when its line ends were escaped`, () => {
      const pem = pair.privateKey.export({ type, format: 'pem' }) as string
      for (const text of [pem, pem.replaceAll('\n', '\\n'), `  ${pem}\n\n`]) {
        const [head = '', payload = '', signature = ''] = signAppToken(42, readPrivateKey(text), now).split('.')

        assert.ok(
          verify('RSA-SHA256', Buffer.from(`${head}.${payload}`), pair.publicKey, Buffer.from(signature, 'base64url')),
        )
        const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
        assert.deepEqual(claims, { iat: now.getTime() / 1000 - 60, exp: now.getTime() / 1000 + 480, iss: '42' })
      }
    })

  test('needs an RSA key', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })

    assert.throws(() => readPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' }) as string), {
      reason: 'PrivateKeyInvalid',
    })
  })
})

describe('the limiter of a credential', () => {
  const options = (token: string, url?: string) =>
    ({
      spec: { provider: 'GitHub', owner: { organization: 'acme' }, ...(url ? { url } : {}) },
      credentials: { kind: 'Token', token },
    }) as ScmOptions

  test('is one for all connections that use it, and another for another credential or host', () => {
    const limiters = createLimiters()
    const first = limiters.of(options('a'))

    assert.equal(limiters.of(options('a')), first)
    assert.notEqual(limiters.of(options('b')), first)
    assert.notEqual(limiters.of(options('a', 'https://github.example')), first)
  })
})
