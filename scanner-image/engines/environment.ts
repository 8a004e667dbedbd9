/**
 * Runs an engine with the smallest environment that it needs. Invariant: no variable of the container reaches an
 * engine, so no plan, token path or proxy setting does.
 */

import { ScannerFailure, shorten } from '../shared/failure.ts'
import { printable } from '../shared/printable.ts'
import { type ProcessResult, runProcess } from '../shared/process.ts'
import type { EngineRequest } from './engine.ts'

const outputBytes = 512 * 1024 * 1024

/**
 * Runs `file` in the checkout. A time limit becomes EngineTimedOut, death by a signal EngineFailed; exit codes are left
 * to the adapter.
 */
export async function runEngine(
  name: string,
  request: EngineRequest,
  file: string,
  args: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): Promise<ProcessResult> {
  const result = await runProcess({
    file,
    args,
    workingDirectory: request.checkout,
    timeoutMilliseconds: request.timeoutMilliseconds,
    outputBytes,
    signal: request.signal,
    environment: {
      PATH: '/usr/local/bin:/usr/bin:/bin',
      LC_ALL: 'C.UTF-8',
      HOME: request.scratch,
      TMPDIR: request.scratch,
      XDG_CACHE_HOME: request.scratch,
      XDG_CONFIG_HOME: request.scratch,
      ...variables,
    },
  })
  request.signal.throwIfAborted()
  if (result.ended === 'timeout') {
    throw new ScannerFailure('EngineTimedOut', `${name} passed its limit of ${request.timeoutMilliseconds / 1000} s.`)
  }
  if (result.ended === 'output')
    throw new ScannerFailure('ResultTooLarge', `${name} wrote more than ${outputBytes} bytes.`)
  return result
}

/** The failure for an exit code that the adapter does not accept, with the engine's last words. */
export function engineFailed(name: string, result: ProcessResult): ScannerFailure {
  const words = printable(result.stderr.trim().split('\n').slice(-3).join(' '))
  return new ScannerFailure('EngineFailed', `${name} ended with exit code ${result.exitCode}: ${shorten(words, 800)}`)
}
