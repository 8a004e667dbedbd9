import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cpuMillis, durationSeconds, sizeBytes } from '../../../operator/scan/quantities.ts'

test('durations are seconds', () => {
  assert.deepEqual(['30m', '1h30m', '45s', '2h1m1s'].map(durationSeconds), [1800, 5400, 45, 7261])
  for (const text of ['', '30', '0s', 'm']) assert.throws(() => durationSeconds(text), RangeError)
})

test('sizes are bytes', () => {
  assert.deepEqual(['1Ki', '512Mi', '2Gi'].map(sizeBytes), [1024, 512 * 2 ** 20, 2 ** 31])
  for (const text of ['', '2', '2G', '1.5Gi', '-1Mi']) assert.throws(() => sizeBytes(text), RangeError)
})

test('processors are thousandths', () => {
  assert.deepEqual(['500m', '2', '1.5'].map(cpuMillis), [500, 2000, 1500])
  for (const text of ['', 'x', '1k', '-1']) assert.throws(() => cpuMillis(text), RangeError)
})
