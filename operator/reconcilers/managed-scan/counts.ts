/** Adds counts of findings over repositories. Pure. */
import type { ScmRepository } from '../../api/kinds.ts'

type Given = NonNullable<NonNullable<NonNullable<ScmRepository['status']>['lastScan']>['findings']>

const severities = ['critical', 'high', 'medium', 'low'] as const
const products = ['code', 'supplyChain', 'secrets'] as const

type BySeverity = Record<(typeof severities)[number], number>

export interface Counts {
  readonly total: number
  readonly bySeverity: BySeverity
  readonly byProduct: Record<(typeof products)[number], { total: number } & BySeverity>
}

const none: BySeverity = { critical: 0, high: 0, medium: 0, low: 0 }
const noneOfProduct = { total: 0, ...none }

export const noFindings: Counts = {
  total: 0,
  bySeverity: none,
  byProduct: { code: noneOfProduct, supplyChain: noneOfProduct, secrets: noneOfProduct },
}

export function addCounts(sum: Counts, more: Given | undefined): Counts {
  if (more === undefined) return sum
  const product = (name: (typeof products)[number]) => ({
    total: sum.byProduct[name].total + (more.byProduct?.[name]?.total ?? 0),
    ...addSeverities(sum.byProduct[name], more.byProduct?.[name]),
  })
  return {
    total: sum.total + (more.total ?? 0),
    bySeverity: addSeverities(sum.bySeverity, more.bySeverity),
    byProduct: { code: product('code'), supplyChain: product('supplyChain'), secrets: product('secrets') },
  }
}

function addSeverities(a: BySeverity, b: Partial<BySeverity> | undefined): BySeverity {
  return {
    critical: a.critical + (b?.critical ?? 0),
    high: a.high + (b?.high ?? 0),
    medium: a.medium + (b?.medium ?? 0),
    low: a.low + (b?.low ?? 0),
  }
}
