/** Judges findings by the policy of a ManagedScan. Pure: the first rule that matches a finding decides on it. */
import type { Policy } from '../api/kinds.ts'
import type { Product } from '../scan/contract/plan.ts'
import type { Severity } from '../scan/contract/result.ts'

export type Action = Policy[number]['action']
export type Verdict = 'Clean' | 'Findings' | 'Blocked'

interface Judged {
  readonly product: Product
  readonly severity: Severity
  readonly ruleId: string
}

/** What the policy wants for one finding; findings that no rule speaks of are monitored. */
export function actionFor(finding: Judged, policy: Policy): Action {
  const rule = policy.find(
    ({ severities, products, rules }) =>
      (severities === undefined || severities.includes(finding.severity)) &&
      (products === undefined || products.includes(finding.product)) &&
      (rules === undefined || rules.some((glob) => matchesGlob(glob, finding.ruleId))),
  )
  return rule?.action ?? 'Monitor'
}

export function judge(findings: readonly Judged[], policy: Policy): Verdict {
  if (findings.length === 0) return 'Clean'
  return findings.some((finding) => actionFor(finding, policy) === 'Block') ? 'Blocked' : 'Findings'
}

/**
 * `*` stands for any run of characters. A walk with one point of return instead of a regular expression, so that no
 * glob of many stars can take more than length times length steps.
 */
export function matchesGlob(glob: string, text: string): boolean {
  let at = 0
  let star = -1
  let resume = 0
  let position = 0
  while (position < text.length) {
    if (glob[at] === '*') {
      star = at
      resume = position
      at += 1
    } else if (glob[at] === text[position]) {
      at += 1
      position += 1
    } else if (star >= 0) {
      resume += 1
      position = resume
      at = star + 1
    } else {
      return false
    }
  }
  while (glob[at] === '*') at += 1
  return at === glob.length
}
