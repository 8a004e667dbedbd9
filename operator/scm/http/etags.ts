/**
 * Answers that can be asked for again with If-None-Match, at most `maxBytes` of them, the least recently used dropped
 * first. One cache belongs to one connection, so no answer is ever shown to another credential.
 */
import { LRUCache } from 'lru-cache'

export interface CachedAnswer {
  readonly etag: string
  readonly status: number
  readonly headers: Headers
  readonly body: Buffer
}

export interface EtagCache {
  get(url: string): CachedAnswer | undefined
  set(url: string, answer: CachedAnswer): void
}

/** What headers and bookkeeping of an entry weigh, roughly. */
const overheadBytes = 2_048

export function createEtagCache(maxBytes = 4 * 1024 * 1024): EtagCache {
  const cache = new LRUCache<string, CachedAnswer>({
    maxSize: maxBytes,
    sizeCalculation: (answer) => answer.body.byteLength + overheadBytes,
  })
  return {
    get: (url) => cache.get(url),
    set: (url, answer) => {
      cache.set(url, answer)
    },
  }
}
