/** The pure parts of the clone step: what git is told, what its words mean, and that no token passes. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { classifyGitFailure } from '../../../scanner-image/clone/failure.ts'
import { gitEnvironment } from '../../../scanner-image/clone/git.ts'
import { createRedactor } from '../../../scanner-image/clone/redact.ts'

const settings = {
  gitDirectory: '/workspace/git',
  url: 'https://code.example.com:8443/acme/shop.git',
  username: 'x-access-token',
  tokenFile: '/var/run/scanfleet/token',
  caFile: '/var/run/scanfleet/code-host-ca.crt',
  credentialHelper: '/usr/local/libexec/helper',
}

function configurationOf(environment: Readonly<Record<string, string>>): Map<string, string | undefined> {
  const count = Number(environment['GIT_CONFIG_COUNT'])
  const keys = Array.from({ length: count }, (_, index) => index)
  return new Map(keys.map((i) => [environment[`GIT_CONFIG_KEY_${i}`] ?? '', environment[`GIT_CONFIG_VALUE_${i}`]]))
}

describe('the environment of git', () => {
  const environment = gitEnvironment(settings, 'sha1')
  const configuration = configurationOf(environment)

  for (const [key, value] of [
    ['core.hooksPath', '/dev/null'],
    ['core.symlinks', 'false'],
    ['core.fsmonitor', 'false'],
    ['protocol.allow', 'never'],
    ['protocol.https.allow', 'always'],
    ['safe.bareRepository', 'explicit'],
    ['transfer.bundleURI', 'false'],
    ['transfer.fsckObjects', 'true'],
    ['http.followRedirects', 'false'],
    ['http.sslVerify', 'true'],
    ['submodule.recurse', 'false'],
  ] as const) {
    test(`sets ${key} to ${value}`, () => assert.equal(configuration.get(key), value))
  }

  test('reads no configuration but its own, asks nobody, and speaks HTTPS only', () => {
    assert.equal(environment['GIT_CONFIG_NOSYSTEM'], '1')
    assert.equal(environment['GIT_CONFIG_GLOBAL'], '/dev/null')
    assert.equal(environment['GIT_TERMINAL_PROMPT'], '0')
    assert.equal(environment['GIT_ALLOW_PROTOCOL'], 'https')
  })

  test('offers the credential to one origin only', () => {
    assert.equal(configuration.get('credential.https://code.example.com:8443.helper'), settings.credentialHelper)
    assert.equal(configuration.get('credential.helper'), '')
  })

  test('has no helper and sends nothing when there is no token', () => {
    const anonymous = configurationOf(gitEnvironment({ ...settings, tokenFile: undefined }, 'sha1'))
    assert.equal(anonymous.get('credential.https://code.example.com:8443.helper'), undefined)
    assert.equal(anonymous.get('http.proactiveAuth'), undefined)
  })
})

describe('the words of git', () => {
  for (const [words, reason] of [
    ['fatal: unable to access: server certificate verification failed. CAfile: none', 'CodeHostTlsNotTrusted'],
    ['fatal: unable to access: SSL certificate problem: self-signed certificate', 'CodeHostTlsNotTrusted'],
    ['fatal: unable to access: The requested URL returned error: 403', 'CloneRefused'],
    ["fatal: Authentication failed for 'https://h/x.git/'", 'CloneRefused'],
    [
      'remote: Repository not found.\nfatal: repository not found: The requested URL returned error: 404',
      'CloneRefused',
    ],
    ['fatal: remote error: upload-pack: not our ref 1234', 'CommitNotFound'],
    ["fatal: couldn't find remote ref refs/heads/gone", 'CommitNotFound'],
    ['error: object 12ab: hasDotgit: contains .git\nfatal: fsck error in packed object', 'RepositoryUnsafe'],
    ["error: invalid path '.git/config'", 'RepositoryUnsafe'],
    ['fatal: write error: No space left on device', 'DiskFull'],
    ['fatal: unable to access: Failed to connect to h port 443', 'CodeHostUnreachable'],
    ['fatal: unable to access: The requested URL returned error: 503', 'CodeHostUnreachable'],
    ['fatal: something that nobody has seen', 'CloneFailed'],
  ] as const) {
    test(`mean ${reason}: ${words.slice(0, 60)}`, () => assert.equal(classifyGitFailure(words).reason, reason))
  }

  test('are shown without characters that forge a line or a direction', () => {
    const { message } = classifyGitFailure('fatal: bad name \u202egpj.exe\u0007')
    assert.match(message, /bad name \?gpj\.exe\?/)
  })
})

describe('the redactor', () => {
  const token = 'ghs_abc/def+ghi='
  const redact = createRedactor('x-access-token', token)

  for (const [form, value] of [
    ['raw', token],
    ['URL-encoded', encodeURIComponent(token)],
    ['HTTP Basic', Buffer.from(`x-access-token:${token}`).toString('base64')],
    ['base64', Buffer.from(token).toString('base64')],
  ] as const) {
    test(`masks the token ${form}`, () => assert.equal(redact(`before ${value} after`), 'before [redacted] after'))
  }

  test('leaves text alone when there is no token', () => {
    assert.equal(createRedactor('user', '')('anything'), 'anything')
  })
})
