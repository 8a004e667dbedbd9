/**
 * Compares what a scan saw with what its repository had open. Pure. A product that the scan did not cover proves
 * nothing, so only findings of covered products can be fixed.
 */
import type { Product } from '../scan/contract/plan.ts'
import type { FindingChange } from './finding.ts'

/** What the store knows: `Elsewhere` was only ever seen outside of the branch that is followed. */
export type FindingState = 'Open' | 'Fixed' | 'Elsewhere'

export interface KnownFinding {
  readonly fingerprint: string
  readonly product: Product
  readonly state: FindingState
}

export interface Diff {
  /** Every fingerprint that the scan saw. */
  readonly changes: ReadonlyMap<string, FindingChange>
  /** Fingerprints that were open, were looked for, and are gone. */
  readonly fixed: readonly string[]
}

export function diffFindings(
  before: readonly KnownFinding[],
  seen: readonly { readonly fingerprint: string }[],
  covered: readonly Product[],
): Diff {
  const states = new Map(before.map((finding) => [finding.fingerprint, finding.state]))
  const changes = new Map(seen.map(({ fingerprint }) => [fingerprint, changeOf(states.get(fingerprint))]))
  const fixed = before
    .filter(
      ({ state, product, fingerprint }) => state === 'Open' && covered.includes(product) && !changes.has(fingerprint),
    )
    .map(({ fingerprint }) => fingerprint)
  return { changes, fixed }
}

function changeOf(state: FindingState | undefined): FindingChange {
  if (state === 'Open') return 'Known'
  if (state === 'Fixed') return 'Reopened'
  return 'New'
}
