import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ScanRun } from '../../../operator/api/kinds.ts'
import { phaseSeconds } from '../../../operator/scan/phases.ts'

function run(status: ScanRun['status']): ScanRun {
  const metadata = {
    name: 'shop',
    namespace: 'acme',
    uid: 'u',
    resourceVersion: '1',
    creationTimestamp: '2026-01-01T00:00:00Z',
  }
  const spec = { managedScanRef: { name: 'all' }, repository: { name: 'acme-1' }, reason: 'Initial' as const }
  return { metadata, spec, ...(status && { status }) }
}

describe('phases of a run', () => {
  it('follow each other from creation to completion', () => {
    const phases = phaseSeconds(
      run({
        startTime: '2026-01-01T00:00:02Z',
        completionTime: '2026-01-01T00:00:10Z',
        evidence: { cloneStartTime: '2026-01-01T00:00:03Z', cloneEndTime: '2026-01-01T00:00:07Z' },
      }),
    )
    assert.deepEqual(phases, [
      { phase: 'waiting', seconds: 2 },
      { phase: 'starting', seconds: 1 },
      { phase: 'clone', seconds: 4 },
      { phase: 'scan', seconds: 3 },
    ])
  })

  it('are left out when an end is unknown', () => {
    assert.deepEqual(phaseSeconds(run({ startTime: '2026-01-01T00:00:02Z' })), [{ phase: 'waiting', seconds: 2 }])
  })

  it('are never negative, though clocks differ', () => {
    assert.deepEqual(phaseSeconds(run({ startTime: '2025-12-31T23:59:59Z' })), [{ phase: 'waiting', seconds: 0 }])
  })
})
