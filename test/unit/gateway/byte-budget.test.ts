import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createByteBudget } from '../../../operator/gateway/results/byte-budget.ts'

test('small bodies find room even when large ones have taken all that is common', () => {
  const budget = createByteBudget({ own: 10, common: 20 })
  const [large, small] = [budget.open(), budget.open()]
  assert.equal(large.take(30), true)
  assert.equal(small.take(10), true)
  assert.equal(small.take(1), false)
  assert.equal(large.take(1), false)
})

test('what a body took is there again when it is released, once', () => {
  const budget = createByteBudget({ own: 0, common: 20 })
  const first = budget.open()
  first.take(20)
  first.release()
  first.release()
  const [second, third] = [budget.open(), budget.open()]
  assert.equal(second.take(20), true)
  assert.equal(third.take(1), false)
})
