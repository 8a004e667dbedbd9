/** Specification of the logs: JSON, constant messages, no secrets, no bodies of requests. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createLogger } from '../../../operator/telemetry/log.ts'
import { createRedactor } from '../../../operator/telemetry/redact.ts'

function make(level = 'info') {
  const written: string[] = []
  const redactor = createRedactor()
  const output = { write: (line: string) => void written.push(line) }
  return { log: createLogger({ level, redactor, base: { process: 'test' }, output }), redactor, written }
}

describe('the logs', () => {
  it('are one JSON object a line with time, level by name, message and fields', () => {
    const { log, written } = make()

    log.info({ key: 'ns/a' }, 'something happened')

    const line = JSON.parse(written[0] ?? '')
    assert.match(line.time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
    assert.deepEqual([line.level, line.msg, line.key, line.process], ['info', 'something happened', 'ns/a', 'test'])
  })

  it('carry no registered secret, wherever it stands', () => {
    const { log, redactor, written } = make()
    redactor.register('fake-secret-value\nin two lines')
    const secret = 'fake-secret-value\nin two lines'

    log.warn({ deep: { a: [secret] }, err: new Error(`refused ${secret}`, { cause: new Error(secret) }) }, 'refused')
    log.child({ token: secret }).warn(`also ${secret}`)

    assert.equal(written.length, 2)
    for (const line of written) {
      assert.doesNotMatch(line, /fake-secret-value/)
      assert.match(line, /\[redacted\]/)
      JSON.parse(line)
    }
  })

  it('show of an error its name, message, code, cause and stack, and not what hangs on it', () => {
    const { log, written } = make()
    const cause = Object.assign(new Error('reset'), { code: 'ECONNRESET' })
    const error = Object.assign(new Error('failed', { cause }), {
      status: 502,
      reason: 'Unreachable',
      request: { headers: { authorization: 'fake' } },
      response: { body: 'everything' },
    })

    log.error({ err: error }, 'a call failed')

    const { err } = JSON.parse(written[0] ?? '')
    assert.deepEqual(Object.keys(err).sort(), ['cause', 'message', 'name', 'reason', 'stack', 'status'])
    assert.deepEqual(err.cause, { name: 'Error', message: 'reset', code: 'ECONNRESET' })
  })

  it('survive causes that go round in circles and things that are no errors', () => {
    const { log, written } = make()
    const round = new Error('round')
    round.cause = round

    log.error({ err: round }, 'one')
    log.error({ err: 'just a string' }, 'two')

    assert.equal(JSON.parse(written[1] ?? '').err.message, 'just a string')
    assert.equal(written.length, 2)
  })

  it('are silent below their level', () => {
    const { log, written } = make('warn')

    log.info('quiet')

    assert.deepEqual(written, [])
  })
})
