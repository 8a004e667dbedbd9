/** Counts of a scan's findings, in the shape of the API, and the sentence that people read. Pure. */
import type { FindingCounts } from '../api/kinds.ts'
import type { Product } from '../scan/contract/plan.ts'
import { type Severity, severityNames } from '../scan/contract/result.ts'
import type { Diff } from './diff.ts'

const productKeys = { Code: 'code', SupplyChain: 'supplyChain', Secrets: 'secrets' } as const
const severityKeys = { Critical: 'critical', High: 'high', Medium: 'medium', Low: 'low' } as const

interface Counted {
  readonly product: Product
  readonly severity: Severity
}

/** `products` are those that were looked for: a count of zero is said only of them. */
export function countFindings(findings: readonly Counted[], diff: Diff, products: readonly Product[]): FindingCounts {
  const changes = [...diff.changes.values()]
  const ofProduct = (product: Product) => {
    const own = findings.filter((finding) => finding.product === product)
    return { total: own.length, ...bySeverity(own) }
  }
  return {
    total: findings.length,
    new: changes.filter((change) => change === 'New').length,
    known: changes.filter((change) => change === 'Known').length,
    fixed: diff.fixed.length,
    reopened: changes.filter((change) => change === 'Reopened').length,
    bySeverity: bySeverity(findings),
    byProduct: Object.fromEntries(products.map((product) => [productKeys[product], ofProduct(product)])),
  }
}

/** For example `12 findings (3 new, 1 fixed): 1 critical, 4 high, 7 low`. */
export function describeCounts(counts: FindingCounts): string {
  const total = counts.total ?? 0
  const changes = (['new', 'reopened', 'fixed'] as const)
    .filter((change) => (counts[change] ?? 0) > 0)
    .map((change) => `${counts[change]} ${change}`)
  const inBrackets = changes.length === 0 ? '' : ` (${changes.join(', ')})`
  if (total === 0) return `No findings${inBrackets}`
  const severities = severityNames
    .map((severity) => severityKeys[severity])
    .filter((key) => (counts.bySeverity?.[key] ?? 0) > 0)
    .map((key) => `${counts.bySeverity?.[key]} ${key}`)
  return `${total} ${total === 1 ? 'finding' : 'findings'}${inBrackets}: ${severities.join(', ')}`
}

function bySeverity(findings: readonly Counted[]): { critical: number; high: number; medium: number; low: number } {
  const counts = { critical: 0, high: 0, medium: 0, low: 0 }
  for (const { severity } of findings) counts[severityKeys[severity]] += 1
  return counts
}
