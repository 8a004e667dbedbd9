/**
 * Decompresses an upload twice: once to measure it while nothing is kept, and only when it is within
 * its bounds a second time into memory of exactly its size. A bomb costs time, which is bounded too, and no memory.
 */
import { createGunzip } from 'node:zlib'
import { resultLimits } from '../../scan/contract/result.ts'
import { ResultRefused } from './document.ts'
import { createJsonMeter } from './json-meter.ts'

/**
 * Ten thousand findings of 3 KB. Parsing takes up to seven times as much memory when letters of two bytes are mixed in,
 * so the contract's own bound would not fit into what the gateway is given.
 */
const maxBytes = resultLimits.bytes
/** A hundred for each of the most findings; an ordinary one has forty. */
const maxValues = 1_000_000
/** The longest text of the schema has 8,000 characters, which JSON may write in six bytes each. */
const maxTextBytes = 64 * 1024
const chunkSize = 64 * 1024

/** Throws ResultRefused. */
export async function unpack(body: Uint8Array): Promise<string> {
  const meter = createJsonMeter({ depth: resultLimits.depth, values: maxValues, textBytes: maxTextBytes })
  let size = 0
  for await (const chunk of inflate(body)) {
    size += chunk.length
    if (size > maxBytes) throw new ResultRefused('TooLarge', 'The decompressed result is larger than is accepted.')
    const excess = meter.add(chunk)
    if (excess) throw new ResultRefused(excess, sentences[excess])
  }
  const bytes = new Uint8Array(size)
  let at = 0
  for await (const chunk of inflate(body)) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  const text = decode(bytes)
  // Given back now, not at the next collection: the parser is about to need as much again.
  bytes.buffer.transfer(0)
  return text
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new ResultRefused('NotUtf8', 'The result is not UTF-8.', { cause })
  }
}

const sentences = {
  TooDeep: `The result nests deeper than ${resultLimits.depth} levels.`,
  TooManyValues: `The result has more than ${maxValues} values.`,
  TextTooLong: `The result has a text of more than ${maxTextBytes} bytes.`,
} as const

async function* inflate(body: Uint8Array): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip({ chunkSize })
  gunzip.end(body)
  const chunks: AsyncIterator<Uint8Array> = gunzip[Symbol.asyncIterator]()
  try {
    for (;;) {
      const next = await chunks.next().catch((cause: unknown) => {
        throw new ResultRefused('NotGzip', 'The result is not gzip; it may be truncated.', { cause })
      })
      if (next.done) return
      yield next.value
    }
  } finally {
    gunzip.destroy()
  }
}
