import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ResultRefused, readDocument } from '../../../operator/gateway/results/document.ts'
import { anUpload, aSarifResult } from '../../support/results.ts'

test('a finding that is told twice is one', () => {
  const upload = anUpload([{ id: 'a' }, { id: 'a', line: 9 }])
  assert.deepEqual(
    readDocument(JSON.stringify(upload)).findings.map(({ region }) => region.startLine),
    [3],
  )
})

test('texts come out without control characters, bidirectional overrides and broken surrogates', () => {
  const upload = anUpload([])
  const result = {
    ...aSarifResult({ id: 'a' }),
    message: { text: 'tab\tline\nnul\0esc\u001b[1m rlo\u202e half\ud800 é 🙂' },
  }
  const driver = { name: 'semgrep', rules: [] }
  const sarif = { version: '2.1.0', runs: [{ tool: { driver }, results: [result] }] }
  const [finding] = readDocument(JSON.stringify({ ...upload, sarif })).findings
  assert.equal(finding?.message, 'tab\tline\nnul\ufffdesc\ufffd[1m rlo\ufffd half\ufffd é 🙂')
})

test('a reason never repeats what the upload says', () => {
  const canary = 'canary-4711'
  for (const bad of [
    { ...anUpload([]), commit: canary },
    { [canary]: canary },
    canary,
    { ...anUpload([]), engines: [{ name: canary }] },
  ]) {
    assert.throws(
      () => readDocument(JSON.stringify(bad)),
      (error) => error instanceof ResultRefused && !error.message.includes(canary),
    )
  }
})

test('whatever text arrives, it is read or refused with a reason, and nothing else is thrown', () => {
  const valid = JSON.stringify(anUpload([{ id: 'a' }]))
  const mangled = fc.tuple(fc.nat(valid.length), fc.nat(40), fc.string()).map(([at, length, text]) => {
    return valid.slice(0, at) + text + valid.slice(at + length)
  })
  fc.assert(
    fc.property(fc.oneof(mangled, fc.json(), fc.string({ unit: 'binary' })), (text) => {
      try {
        readDocument(text)
      } catch (error) {
        assert.ok(error instanceof ResultRefused, String(error))
      }
    }),
    { numRuns: 500 },
  )
})
