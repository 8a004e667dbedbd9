import assert from 'node:assert/strict'
import { test } from 'node:test'
import { scanRunReasons } from '../../../operator/api/conditions.ts'
import type { ScanRun } from '../../../operator/api/kinds.ts'
import { statusFor } from '../../../operator/gateway/publish/status.ts'
import type { StoredScan } from '../../../operator/gateway/store/index.ts'

const run: ScanRun = {
  metadata: {
    name: 'r',
    namespace: 'n',
    uid: 'u',
    resourceVersion: '7',
    generation: 1,
    creationTimestamp: '2026-01-01T00:00:00Z',
  },
  spec: { managedScanRef: { name: 'all' }, repository: { name: 'shop' }, reason: 'Manual' },
  status: {
    conditions: [
      { type: 'Ready', status: 'False', reason: 'Running', message: 'm', lastTransitionTime: '2026-01-01T00:00:00Z' },
    ],
  },
}
const refused: StoredScan = {
  runUid: 'u',
  attempt: 1,
  namespace: 'n',
  runName: 'r',
  tokenDigest: '',
  bodyDigest: '',
  decidedAt: '2026-01-01T00:05:00.123Z',
  summary: { outcome: 'Refused', reason: 'NotJson', message: 'The result is not JSON.' },
  publication: undefined,
}

test('a refused result fails the run for good, and Ready keeps its time since it was not true before', () => {
  const object = statusFor(refused, run, new Date('2026-01-01T00:05:01Z'))
  const message = 'The result is not JSON.'
  const common = { reason: 'ResultInvalid', message, observedGeneration: 1 }
  assert.deepEqual(object, {
    apiVersion: 'scanfleet.dev/v1alpha1',
    kind: 'ScanRun',
    metadata: { name: 'r', namespace: 'n', uid: 'u', resourceVersion: '7' },
    status: {
      completionTime: '2026-01-01T00:05:00Z',
      conditions: [
        { type: 'Ready', status: 'False', ...common, lastTransitionTime: '2026-01-01T00:00:00Z' },
        { type: 'Failed', status: 'True', ...common, lastTransitionTime: '2026-01-01T00:05:01Z' },
        { type: 'Stalled', status: 'True', ...common, lastTransitionTime: '2026-01-01T00:05:01Z' },
      ],
    },
  })
  assert.equal(scanRunReasons.ResultInvalid.final, true)
})
