/**
 * How a container of the scan pod fails and ends: one error class that carries the exit reason, and one function that
 * turns it into the termination message. Invariant: the message holds no secret, since callers pass it through their
 * redactor first, and it always fits the kubelet's 4096 bytes.
 */
import { writeFile } from 'node:fs/promises'
import {
  type ExitReason,
  exitCodes,
  type Termination,
  terminationMessagePath,
} from '../../operator/scan/contract/exit.ts'

/** A failure with a reason that the controller understands. `message` is a sentence for people. */
export class ScannerFailure extends Error {
  readonly reason: ExitReason

  constructor(reason: ExitReason, message: string, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }
}

/** Any error as a failure; what is not one of ours is a fault of the scanner's own. */
export function toFailure(error: unknown): ScannerFailure {
  if (error instanceof ScannerFailure) return error
  if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') {
    return new ScannerFailure('DiskFull', 'The volume of the scan is full.', { cause: error })
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return new ScannerFailure('InternalError', text, { cause: error })
}

/**
 * Writes the termination message and returns the exit code. A message path that is not there (outside of Kubernetes)
 * is no failure: the exit code says the same.
 */
export async function reportTermination(
  failure: ScannerFailure,
  redact: (text: string) => string,
  path: string = terminationMessagePath,
): Promise<number> {
  const termination: Termination = { reason: failure.reason, message: shorten(redact(failure.message), 2000) }
  const text = JSON.stringify(termination)
  await writeFile(path, text).catch(() => undefined)
  process.stderr.write(`${text}\n`)
  return exitCodes[failure.reason]
}

/** Text of at most `limit` characters; what is cut off is marked by an ellipsis. */
export function shorten(text: string, limit: number): string {
  return text.length <= limit ? text : `${text.slice(0, limit - 1)}…`
}
