/**
 * Reads the body of a request into memory, counting bytes as they arrive, and gives up on one that is too large or too
 * slow. What a client that is going to be refused still sends is thrown away, within bounds, so that it sees why.
 */
import type { IncomingMessage } from 'node:http'
import type { ByteLease } from './byte-budget.ts'

export type BodyFailure = 'TooLarge' | 'TooSlow' | 'Aborted' | 'NoRoom'

export class BodyError extends Error {
  override name = 'BodyError'
  readonly failure: BodyFailure

  constructor(failure: BodyFailure) {
    super(`the body could not be read: ${failure}`)
    this.failure = failure
  }
}

export function readBody(
  request: IncomingMessage,
  lease: ByteLease,
  limits: { bytes: number; timeoutMs: number },
): Promise<Buffer> {
  // An announced size that is too large needs no reading.
  if (Number(request.headers['content-length'] ?? 0) > limits.bytes) return Promise.reject(new BodyError('TooLarge'))
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const settle = (act: () => void) => {
      clearTimeout(timer)
      request.off('data', onData).off('end', onEnd).off('error', onAbort).off('close', onAbort)
      act()
    }
    const fail = (failure: BodyFailure) => settle(() => reject(new BodyError(failure)))
    const onData = (chunk: Buffer) => {
      size += chunk.length
      if (size > limits.bytes) fail('TooLarge')
      else if (!lease.take(chunk.length)) fail('NoRoom')
      else chunks.push(chunk)
    }
    const onEnd = () => settle(() => resolve(Buffer.concat(chunks)))
    const onAbort = () => fail('Aborted')
    const timer = setTimeout(() => fail('TooSlow'), limits.timeoutMs)
    request.on('data', onData).on('end', onEnd).on('error', onAbort).on('close', onAbort)
  })
}

/** Resolves when the client has stopped sending, or when it was listened to long enough. */
export function discardBody(request: IncomingMessage, limits: { bytes: number; timeoutMs: number }): Promise<void> {
  if (request.complete || request.destroyed) return Promise.resolve()
  return new Promise((resolve) => {
    let size = 0
    const end = () => {
      clearTimeout(timer)
      request.off('data', onData).off('end', end).off('close', end)
      resolve()
    }
    const onData = (chunk: Buffer) => {
      size += chunk.length
      if (size > limits.bytes) end()
    }
    const timer = setTimeout(end, limits.timeoutMs)
    request.on('error', () => undefined)
    request.on('data', onData).on('end', end).on('close', end)
  })
}
