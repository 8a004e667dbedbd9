import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type ConnectionReason, connectionReasons } from '../../../operator/api/conditions.ts'
import { annotations, finalizers } from '../../../operator/api/names.ts'
import {
  due,
  finalizerChange,
  type Memory,
  nextCheck,
  nextLook,
  standardTimes,
  statusOf,
} from '../../../operator/reconcilers/scm-connection/decide.ts'
import type { ConnectionReport } from '../../../operator/scm/types.ts'
import { kubeStatus } from '../../support/kstatus.ts'
import { aConnection, aTime, condition, later } from '../../support/objects.ts'

const report: ConnectionReport = { account: 'dana', kind: 'ClassicToken', missing: [], warnings: [] }
const well: Memory = {
  checkedAt: aTime,
  checkedGeneration: 1,
  outcome: { ok: true, report },
  failures: 0,
  discoveredAt: aTime,
  discoveredGeneration: 1,
  discovered: 3,
}
const ill: Memory = {
  ...well,
  failures: 1,
  outcome: { ok: false, reason: 'HostUnreachable', message: 'It is silent.' },
}
const quiet = { clientChanged: false, suspected: false }
const credential = 'Secret acme-token, key token'

function dueAt(seconds: number, memory: Memory, facts = quiet, connection = aConnection()): string {
  const { check, discovery } = due(connection, memory, facts, later(seconds), standardTimes)
  return [check && 'check', discovery && 'discovery'].filter(Boolean).join(' ')
}

describe('what is due for a connection', () => {
  const changed = aConnection({ meta: { generation: 2 } })
  const asked = aConnection({ meta: { annotations: { [annotations.requestedAt]: 'now' } } })
  const told = { observedGeneration: 1, lastDiscoveryTime: aTime.toISOString() }
  const ready = { conditions: [condition('Ready', 'True', 'Connected')] }

  for (const [when, is, does] of [
    ['everything at first', dueAt(0, { failures: 0 }), 'check discovery'],
    ['nothing soon after', dueAt(60, well), ''],
    ['a check after five minutes', dueAt(300, well), 'check'],
    ['discovery after its interval', dueAt(3600, well), 'check discovery'],
    ['everything when the spec changes', dueAt(1, well, quiet, changed), 'check discovery'],
    ['everything when somebody asks', dueAt(1, well, quiet, asked), 'check discovery'],
    ['nothing more when that was handled', dueAt(1, { ...well, handledRequest: 'now' }, quiet, asked), ''],
    ['a check when the Secret was replaced', dueAt(1, well, { ...quiet, clientChanged: true }), 'check'],
    ['a check when a scan was refused', dueAt(15, well, { ...quiet, suspected: true }), 'check'],
    ['one check, however many scans were refused', dueAt(14, well, { ...quiet, suspected: true }), ''],
    ['a check fifteen seconds after a failure', dueAt(15, ill), 'check'],
    [
      'only a check after a restart',
      dueAt(60, { failures: 0 }, quiet, aConnection({ status: { ...told, ...ready } })),
      'check',
    ],
    [
      'discovery after a restart too when it had failed',
      dueAt(60, { failures: 0 }, quiet, aConnection({ status: told })),
      'check discovery',
    ],
    [
      'discovery that failed for a changed spec',
      dueAt(60, { ...well, checkedGeneration: 2 }, quiet, changed),
      'discovery',
    ],
  ] as const)
    test(when, () => assert.equal(is, does))

  test('failures are tried again more and more rarely, every five minutes at last', () => {
    const waits = [1, 2, 3, 4, 5, 6, 50].map((failures) => {
      const next = nextCheck(aConnection(), { ...ill, failures }, standardTimes)
      return (next.getTime() - aTime.getTime()) / 1000
    })
    assert.deepEqual(waits, [15, 30, 60, 120, 240, 300, 300])
  })

  test('a host that says when to come back is left alone until then', () => {
    const memory: Memory = { ...ill, outcome: { ok: false, reason: 'RateLimited', message: '', retryAt: later(1800) } }
    assert.deepEqual(nextCheck(aConnection(), memory, standardTimes), later(1800))
    assert.equal(nextLook(aConnection(), memory, aTime, standardTimes), 30_000, 'only the Secret is looked at')
  })

  test('the finalizer follows the deletion policy, and stays when deletion has begun', () => {
    const purge = aConnection({ spec: { deletionPolicy: 'Purge' } })
    const held = { finalizers: [finalizers.purge] }
    assert.equal(finalizerChange(purge), 'add')
    assert.equal(finalizerChange(aConnection({ spec: { deletionPolicy: 'Purge' }, meta: held })), undefined)
    assert.equal(finalizerChange(aConnection({ meta: held })), 'remove')
    assert.equal(finalizerChange(aConnection({ meta: { ...held, deletionTimestamp: aTime.toISOString() } })), undefined)
  })
})

describe('the status of a connection', () => {
  const tell = (memory: Memory, connection = aConnection()) => {
    const status = statusOf(connection, memory, credential, aTime)
    const ready = status.conditions?.find(({ type }) => type === 'Ready')
    return { status, ready, kstatus: kubeStatus({ ...connection, status }) }
  }

  test('is ready with account and number of repositories', () => {
    const { status, ready, kstatus } = tell(well)
    assert.deepEqual(
      [ready?.reason, ready?.message, kstatus],
      ['Connected', 'Connected as dana; 3 repositories.', 'Current'],
    )
    assert.deepEqual(status.account, { name: 'dana', kind: 'ClassicToken', credential })
  })

  test('names what the credential lacks', () => {
    const memory: Memory = { ...well, outcome: { ok: true, report: { ...report, missing: ['contents:read'] } } }
    const { ready, kstatus } = tell(memory)
    assert.deepEqual([ready?.reason, kstatus], ['PermissionMissing', 'Failed'])
    assert.match(ready?.message ?? '', /contents:read.*Secret acme-token, key token/)
  })

  test('is in progress before the first check, and while suspended', () => {
    assert.deepEqual([tell({ failures: 0 }).ready?.reason, tell({ failures: 0 }).kstatus], ['Checking', 'InProgress'])
    assert.equal(tell(well, aConnection({ spec: { suspend: true } })).ready?.reason, 'Suspended')
  })

  for (const [reason, { stalled }] of Object.entries(connectionReasons)) {
    if (['Connected', 'Checking', 'Suspended', 'PermissionMissing'].includes(reason)) continue
    test(`${reason} is ${stalled ? 'failed until a person acts' : 'tried again by itself'}, and names the Secret`, () => {
      const message = reason.startsWith('Secret') ? `About ${credential}.` : 'What was seen.'
      const memory: Memory = { ...ill, outcome: { ok: false, reason: reason as ConnectionReason, message } }
      const { ready, kstatus, status } = tell(memory)
      assert.deepEqual([ready?.status, ready?.reason, kstatus], ['False', reason, stalled ? 'Failed' : 'InProgress'])
      assert.equal(ready?.message.split('acme-token').length, 2, 'once')
      assert.equal(status.repositories, 3, 'what was known is still told')
    })
  }
})
