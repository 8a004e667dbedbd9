/** Specification of redaction: no form in which a secret travels gets through. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createRedactor } from '../../../operator/telemetry/redact.ts'

describe('the redactor', () => {
  const secret = 'fake-token+/=&"with spaces\\and more'
  const forms: Readonly<Record<string, string>> = {
    raw: secret,
    'in base64': Buffer.from(secret).toString('base64'),
    'in base64 for addresses': Buffer.from(secret).toString('base64url'),
    'in an address': encodeURIComponent(secret),
    'in a form': new URLSearchParams({ q: secret }).toString(),
    'in JSON': JSON.stringify({ secret }),
    'in hexadecimal': Buffer.from(secret).toString('hex'),
  }
  for (const [where, text] of Object.entries(forms)) {
    it(`takes a secret out ${where}`, () => {
      const redactor = createRedactor()
      redactor.register(secret)

      const shown = redactor.redact(`before ${text} after`)

      assert.match(shown, /^before .*\[redacted\].* after$/)
      assert.ok(!shown.includes(text.slice(4, 24)), shown)
    })
  }

  it('takes a secret out of basic authentication, whatever user name stands before it', () => {
    const name = fc.string({ unit: 'grapheme-ascii', maxLength: 12 })
    const value = fc.stringMatching(/^[A-Za-z0-9_+/=-]{12,60}$/)
    fc.assert(
      fc.property(name, value, name, (user, token, after) => {
        const redactor = createRedactor()
        redactor.register(token)
        const header = Buffer.from(`${user}:${token}${after}`).toString('base64')
        const shown = redactor.redact(header)
        assert.match(shown, /\[redacted\]/)
        // What is left decodes to nothing of the token but, at most, parts of its outermost characters.
        for (const rest of shown.split('[redacted]')) {
          const decoded = Buffer.from(rest, 'base64').toString('latin1')
          assert.ok(!decoded.includes(token.slice(1, -1)))
        }
      }),
    )
  })

  it('takes out every line of a private key, however the text was broken', () => {
    const lines = [
      '-----BEGIN PRIVATE KEY-----',
      'A'.repeat(20) + 'B'.repeat(44),
      'C'.repeat(64),
      '-----END PRIVATE KEY-----',
    ]
    const redactor = createRedactor()
    redactor.register(`${lines.join('\n')}\n`)

    for (const text of [lines.join('\n'), JSON.stringify(lines.join('\n')), `openssl: bad line ${lines[1]}`]) {
      assert.doesNotMatch(redactor.redact(text), /AAAA|BBBB|CCCC/)
    }
  })

  it('prefers the longer of two secrets that overlap', () => {
    const redactor = createRedactor()
    redactor.register('fake-secret')
    redactor.register('fake-secret-and-longer')

    assert.equal(redactor.redact('x fake-secret-and-longer y'), 'x [redacted] y')
  })

  it('forgets a secret when everybody who registered it has released it', () => {
    const redactor = createRedactor()
    const [first, second] = [redactor.register('fake-secret'), redactor.register('fake-secret')]
    first()
    first()
    assert.equal(redactor.redact('fake-secret'), '[redacted]')

    second()

    assert.equal(redactor.redact('fake-secret'), 'fake-secret')
  })

  it('leaves text without secrets, and empty or tiny secrets, alone', () => {
    const redactor = createRedactor()
    for (const tiny of ['', '  ', 'abc']) redactor.register(tiny)

    assert.equal(redactor.redact('abc def'), 'abc def')
  })
})
