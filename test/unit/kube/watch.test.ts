/** Specification of the wire format of a watch: however the bytes are cut, the events are the same; nothing is dropped. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { errorFromWatch, isExpired } from '../../../operator/kube/errors.ts'
import { parseWatch, UnreadableWatchError, type WatchEvent } from '../../../operator/kube/watch.ts'

async function parse(chunks: readonly (Buffer | string)[]): Promise<WatchEvent<{ name: string }>[]> {
  async function* stream() {
    for (const chunk of chunks) yield Buffer.from(chunk)
  }
  const events: WatchEvent<{ name: string }>[] = []
  for await (const batch of parseWatch<{ name: string }>(stream(), errorFromWatch)) events.push(...batch)
  return events
}

describe('a watch stream', () => {
  it('gives the same events for every way of cutting its bytes', async () => {
    const names = fc.array(fc.string({ unit: 'binary', maxLength: 12 }), { maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(names, fc.array(fc.nat({ max: 400 }), { maxLength: 12 }), async (list, cuts) => {
        const bytes = Buffer.from(
          list.map((name) => `${JSON.stringify({ type: 'ADDED', object: { name } })}\n`).join(''),
        )
        const at = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length]
        const chunks = at.slice(1).map((end, index) => bytes.subarray(at[index], end))
        const read = (await parse(chunks)).map(({ object }) => object.name)
        assert.deepEqual(
          read,
          (JSON.parse(JSON.stringify(list)) as string[]).map((name) => Buffer.from(name).toString()),
        )
      }),
    )
  })

  it('hands over what came before an error, and then throws it', async () => {
    const expired = { type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' } }
    const text = `${JSON.stringify({ type: 'ADDED', object: { name: 'a' } })}\n${JSON.stringify(expired)}\n`
    const seen: string[] = []
    async function* stream() {
      yield Buffer.from(text)
    }
    await assert.rejects(
      async () => {
        for await (const batch of parseWatch<{ name: string }>(stream(), errorFromWatch)) {
          seen.push(...batch.map(({ object }) => object.name))
        }
      },
      (error) => isExpired(error),
    )
    assert.deepEqual(seen, ['a'])
  })

  for (const [what, line] of [
    ['no JSON', '{"type":"ADDED","obj'],
    ['no event', '{"kind":"Status"}'],
    ['an unknown type', '{"type":"RENAMED","object":{}}'],
    ['an event without an object', '{"type":"ADDED"}'],
    ['null', 'null'],
  ] as const) {
    it(`ends with an error at a line that is ${what}`, async () => {
      await assert.rejects(parse([`${line}\n`]), UnreadableWatchError)
    })
  }

  it('ends with an error at a line without end', async () => {
    const endless = Array.from({ length: 17 }, () => Buffer.alloc(1024 * 1024, 'x'))
    await assert.rejects(parse(endless), /a line without end/)
  })
})
