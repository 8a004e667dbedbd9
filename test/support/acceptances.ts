/** Builders of what the gateway hands to its store: scans of one repository, one after the other. */
import type { Acceptance } from '../../operator/gateway/store/accept.ts'
import type { Finding } from '../../operator/report/finding.ts'
import type { Product } from '../../operator/scan/contract/plan.ts'
import { aCommit, anUpload, type FindingShape, fingerprintOf } from './results.ts'

export function aFinding(shape: FindingShape): Finding {
  const { id, product = 'Code', severity = 'High', path = `src/${id}.ts`, line = 3, ruleId = `demo.${id}` } = shape
  return {
    fingerprint: fingerprintOf(id),
    product,
    severity,
    tool: 'semgrep',
    ruleId,
    level: 'error',
    message: `${id} is dangerous.`,
    path,
    region: { startLine: line },
    cwe: ['CWE-79'],
  }
}

export interface ScanShape {
  readonly findings?: readonly FindingShape[]
  readonly products?: readonly Product[]
  readonly followed?: boolean
  readonly branch?: string
  readonly repository?: string
  readonly namespace?: string
  readonly runUid?: string
  readonly body?: string
  /** Minutes after the beginning of the test's time; scans that are made later start later. */
  readonly minute: number
}

export function aScan(shape: ScanShape): Acceptance {
  const { findings = [], products = ['Code'], repository = 'shop', namespace = 'team', minute } = shape
  const runUid = shape.runUid ?? `run-${minute}`
  const time = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, minute, second)).toISOString()
  const { engines, evidence } = anUpload([], products)
  return {
    runUid,
    attempt: 1,
    namespace,
    runName: runUid,
    tokenDigest: 'a'.repeat(64),
    bodyDigest: fingerprintOf(shape.body ?? 'body'),
    decidedAt: time(30),
    repository: { connection: 'acme', externalId: repository, name: repository, fullName: `acme/${repository}` },
    branch: shape.branch ?? 'main',
    followed: shape.followed ?? true,
    startedAt: time(0),
    products,
    policy: [],
    document: {
      commit: aCommit,
      engines,
      evidence,
      findings: findings.map(aFinding),
      rules: findings.map(({ id, ruleId = `demo.${id}` }) => ({ tool: 'semgrep', rule: { id: ruleId } })),
    },
  }
}
