/**
 * Names a finding so that it is recognised again after lines moved: a hash over what it is, never over where it stands.
 * Invariant: two findings of one scan never share a fingerprint; equal ones are told apart by their order.
 */
import { createHash } from 'node:crypto'

export type Identity = {
  readonly product: string
  readonly ruleId: string
  readonly path: string
  /** Matched text, or what the engine names as identity. */
  readonly matched: string
}

/** A function that gives each finding, in the order of the file, its fingerprint: 64 hex digits. */
export function createFingerprinter(): (identity: Identity) => string {
  const seen = new Map<string, number>()
  return ({ product, ruleId, path, matched }) => {
    const key = [product, ruleId, path, normalise(matched)].join('\0')
    const ordinal = seen.get(key) ?? 0
    seen.set(key, ordinal + 1)
    return createHash('sha256').update(`${key}\0${ordinal}`).digest('hex')
  }
}

/** Indentation and line breaks are style. */
function normalise(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}
