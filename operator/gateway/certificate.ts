/**
 * The certificate that the gateway shows: read from a mounted Secret, waited for at the start, and read again when it
 * changes. A pair that does not fit together is never used; the last good one stays.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createSecureContext } from 'node:tls'
import type { Logger } from 'pino'

export interface CertificatePair {
  /** PEM, with intermediates. */
  readonly cert: string
  readonly key: string
}

const pollMs = 1_000
/** A mounted Secret is renewed by exchanging a symbolic link, which watches of files miss, so the folder is polled. */
const reloadMs = 10_000

/** Resolves with the first good pair; rejects when aborted. */
export async function waitForCertificate(
  directory: string,
  log: Logger,
  signal: AbortSignal,
): Promise<CertificatePair> {
  for (let said = false; ; said = true) {
    const pair = await readPair(directory)
    if (pair) return pair
    if (!said) log.info({ directory }, 'waiting for the certificate of the gateway')
    await sleep(pollMs, undefined, { signal })
  }
}

/** Calls `onChange` with every later good pair, until it is stopped. */
export function watchCertificate(
  directory: string,
  first: CertificatePair,
  onChange: (pair: CertificatePair) => void,
  everyMs = reloadMs,
): { stop(): void } {
  let current = first
  const timer = setInterval(async () => {
    const pair = await readPair(directory)
    if (!pair || (pair.cert === current.cert && pair.key === current.key)) return
    current = pair
    onChange(pair)
  }, everyMs)
  timer.unref()
  return { stop: () => clearInterval(timer) }
}

async function readPair(directory: string): Promise<CertificatePair | undefined> {
  try {
    const [cert, key] = await Promise.all(['tls.crt', 'tls.key'].map((name) => readFile(join(directory, name), 'utf8')))
    if (!cert || !key) return undefined
    createSecureContext({ cert, key })
    return { cert, key }
  } catch {
    // Absent, half written or not a pair: the same answer, look again later.
    return undefined
  }
}
