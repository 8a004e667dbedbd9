/**
 * Measures a JSON text without building anything from it: how deep it nests and how many values it has. It runs before
 * `JSON.parse`, because V8 ends the whole process, not only a worker, when a hostile text of many small values
 * exhausts its heap. It does not judge whether the text is valid JSON.
 */

const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const openers = [0x5b, 0x7b]
const closers = [0x5d, 0x7d]

export type JsonExcess = 'TooDeep' | 'TooManyValues'

/** Undefined when the text keeps within the limits. */
export function findExcess(text: Uint8Array, limits: { depth: number; values: number }): JsonExcess | undefined {
  let depth = 0
  let values = 1
  for (let at = 0; at < text.length; at += 1) {
    const byte = text[at] as number
    if (byte === quote) at = endOfString(text, at)
    else if (byte === comma) values += 1
    else if (openers.includes(byte)) {
      depth += 1
      values += 1
    } else if (closers.includes(byte)) depth -= 1
    if (depth > limits.depth) return 'TooDeep'
    if (values > limits.values) return 'TooManyValues'
  }
  return undefined
}

/** Position of the closing quote, or the end of the text when there is none. */
function endOfString(text: Uint8Array, start: number): number {
  let at = start + 1
  while (at < text.length && text[at] !== quote) at += text[at] === backslash ? 2 : 1
  return at
}
