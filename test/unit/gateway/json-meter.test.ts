import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createJsonMeter, type JsonLimits } from '../../../operator/gateway/results/json-meter.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const none = Number.POSITIVE_INFINITY

/** In pieces, as a stream brings them. */
function findExcess(text: Uint8Array, limits: Partial<JsonLimits>, piece = 3) {
  const meter = createJsonMeter({ depth: none, values: none, textBytes: none, ...limits })
  for (let at = 0; at < text.length; at += piece) {
    const excess = meter.add(text.subarray(at, at + piece))
    if (excess) return excess
  }
  return undefined
}

test('depth and number of values are those that the parser would build', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), fc.constantFrom(0, 2), (value, indent) => {
      const text = bytes(JSON.stringify(value, undefined, indent))
      const { depth, most } = measure(value)
      assert.equal(findExcess(text, { depth, values: none }), undefined)
      if (depth > 0) assert.equal(findExcess(text, { depth: depth - 1, values: none }), 'TooDeep')
      assert.equal(findExcess(text, { depth: none, values: most }), undefined)
    }),
  )
})

test('brackets and quotes inside of strings count for nothing', () => {
  assert.equal(findExcess(bytes(JSON.stringify('[[["\\{{{,,,')), { depth: 0, values: 1 }), undefined)
})

test('a text that is no JSON is measured without harm', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (text) => {
      findExcess(text, { depth: 10, values: 10 })
    }),
  )
  assert.equal(findExcess(bytes('"never closed \\'), { depth: 1, values: 1 }), undefined)
  assert.equal(findExcess(bytes(']]]]'), { depth: 1, values: 1 }), undefined)
})

function measure(value: unknown): { depth: number; most: number } {
  if (value === null || typeof value !== 'object') return { depth: 0, most: 1 }
  const members = Object.values(value).map(measure)
  const most = members.reduce((sum, member) => sum + member.most, 2)
  return { depth: 1 + Math.max(0, ...members.map(({ depth }) => depth)), most }
}

test('a text is measured as it is written, escapes included, also across pieces', () => {
  const text = bytes(JSON.stringify(['a\n', 'bb']))
  assert.equal(findExcess(text, { textBytes: 3 }), undefined)
  assert.equal(findExcess(text, { textBytes: 2 }), 'TextTooLong')
})
