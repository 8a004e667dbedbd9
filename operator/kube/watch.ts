/**
 * The wire format of a watch: one JSON object a line. Invariant: no line is dropped silently; one that cannot be read ends
 * the watch with an error, so that the caller lists again.
 */
import type { KubeError } from './errors.ts'

export interface WatchEvent<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'
  /** Of a BOOKMARK only metadata.resourceVersion is set. */
  readonly object: T
}

const newline = 0x0a
/** An object of etcd's largest size and generous space around it. */
const longestLine = 16 * 1024 * 1024

export class UnreadableWatchError extends Error {
  override name = 'UnreadableWatchError'
}

/** The events of each chunk together, so that a burst costs few turns of the event loop. */
export async function* parseWatch<T>(
  chunks: AsyncIterable<Buffer>,
  toError: (object: unknown) => KubeError,
): AsyncGenerator<readonly WatchEvent<T>[]> {
  let rest: Buffer[] = []
  let restLength = 0
  for await (const chunk of chunks) {
    const events: WatchEvent<T>[] = []
    let from = 0
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, from)) {
      const piece = chunk.subarray(from, end)
      from = end + 1
      const line = restLength === 0 ? piece : Buffer.concat([...rest, piece])
      rest = []
      restLength = 0
      if (line.length === 0) continue
      const event = parseLine<T>(line)
      if (event.type === 'ERROR') {
        if (events.length > 0) yield events
        throw toError(event.object)
      }
      events.push(event as WatchEvent<T>)
    }
    if (from < chunk.length) {
      rest.push(chunk.subarray(from))
      restLength += chunk.length - from
      if (restLength > longestLine) throw new UnreadableWatchError('a watch sent a line without end')
    }
    // An empty batch too: bytes arrived, so the connection lives.
    yield events
  }
}

const types = new Set(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR'])

function parseLine<T>(line: Buffer): { type: string; object: T } {
  let event: unknown
  try {
    event = JSON.parse(line.toString('utf8'))
  } catch {
    throw new UnreadableWatchError('a watch sent a line that is no JSON')
  }
  const { type, object } = (event ?? {}) as { type?: unknown; object?: unknown }
  if (typeof type !== 'string' || !types.has(type) || typeof object !== 'object' || object === null) {
    throw new UnreadableWatchError('a watch sent a line that is no event')
  }
  return { type, object: object as T }
}
