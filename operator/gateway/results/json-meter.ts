/**
 * Measures a JSON text as it streams by, without building anything from it: how deep it nests, how many values
 * and how long texts it has. It runs before `JSON.parse`, because V8 ends the whole process, not only a worker, when a hostile text of many
 * small values exhausts its heap. It does not judge whether the text is valid JSON.
 */

const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const opening = { bracket: 0x5b, brace: 0x7b } as const
const closing = { bracket: 0x5d, brace: 0x7d } as const

export type JsonExcess = 'TooDeep' | 'TooManyValues' | 'TextTooLong'

export interface JsonLimits {
  readonly depth: number
  readonly values: number
  /** Bytes of one text, as it is written. */
  readonly textBytes: number
}

export interface JsonMeter {
  /** The next bytes of the text. Undefined while it keeps within the limits. */
  add(bytes: Uint8Array): JsonExcess | undefined
}

export function createJsonMeter(limits: JsonLimits): JsonMeter {
  let depth = 0
  let values = 1
  let inString = false
  let length = 0
  let escaped = false

  function add(bytes: Uint8Array): JsonExcess | undefined {
    for (let at = 0; at < bytes.length; at += 1) {
      const byte = bytes[at]
      if (inString) {
        if (escaped) escaped = false
        else if (byte === backslash) escaped = true
        else if (byte === quote) inString = false
        if (inString) length += 1
        if (length > limits.textBytes) return 'TextTooLong'
      } else if (byte === quote) {
        inString = true
        length = 0
      } else if (byte === comma) {
        values += 1
        if (values > limits.values) return 'TooManyValues'
      } else if (byte === opening.bracket || byte === opening.brace) {
        depth += 1
        values += 1
        if (depth > limits.depth) return 'TooDeep'
        if (values > limits.values) return 'TooManyValues'
      } else if (byte === closing.bracket || byte === closing.brace) {
        depth -= 1
      }
    }
    return undefined
  }

  return { add }
}
