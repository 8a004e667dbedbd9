/**
 * Waits for the file by which `clone` hands the checkout over. Invariant: what is returned fits the schema; a clone that
 * failed, or says nothing in time, is `NothingHandedOver`.
 */
import { watch } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type Handover, handoverSchema } from '../../operator/scan/contract/plan.ts'
import { ScannerFailure } from '../shared/failure.ts'

export type Checkout = Extract<Handover, { ok: true }>

/** The file system's events make it quick; the poll makes it certain, where events are not delivered. */
const pollMilliseconds = 100

/** @throws ScannerFailure NothingHandedOver */
export async function awaitHandover(path: string, timeoutSeconds: number, signal: AbortSignal): Promise<Checkout> {
  const text = await awaitFile(path, timeoutSeconds * 1000, signal)
  if (text === undefined) {
    throw new ScannerFailure('NothingHandedOver', `The clone handed nothing over within ${timeoutSeconds} s.`)
  }
  const handover = handoverSchema.parse(JSON.parse(text))
  if (handover.ok) return handover
  throw new ScannerFailure('NothingHandedOver', `The clone failed with ${handover.reason}: ${handover.message}`)
}

function awaitFile(path: string, milliseconds: number, signal: AbortSignal): Promise<string | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<string | undefined>()
  const look = (): void => {
    readFile(path, 'utf8').then(resolve, (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') reject(error)
    })
  }
  const watcher = watch(dirname(path), look)
  watcher.on('error', () => undefined)
  const poll = setInterval(look, pollMilliseconds)
  const timer = setTimeout(resolve, milliseconds, undefined)
  const onAbort = (): void => reject(signal.reason)
  signal.addEventListener('abort', onAbort)
  if (signal.aborted) onAbort()
  look()
  return promise.finally(() => {
    watcher.close()
    clearInterval(poll)
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  })
}
