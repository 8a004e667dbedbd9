/** What is done next about a ScanRun: one row for each situation. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { decide } from '../../../operator/reconcilers/scan-run/decide.ts'
import type { Snapshot } from '../../../operator/reconcilers/scan-run/observe.ts'
import {
  aConnection,
  aJob,
  aManagedScan,
  aPod,
  aRepository,
  aRun,
  aTime,
  condition,
  containers,
  facts,
  later,
  readyConnection,
} from '../../support/objects.ts'

const deleted = { deletionTimestamp: aTime.toISOString() }
const running = {
  startTime: aTime.toISOString(),
  conditions: [condition('Ready', 'Unknown', 'Running')],
}
const complete = {
  ...running,
  conditions: [condition('Ready', 'True', 'Succeeded'), condition('Complete', 'True', 'Succeeded')],
}
const failed = {
  ...running,
  conditions: [condition('Ready', 'False', 'JobLost'), condition('Failed', 'True', 'JobLost')],
}
const done = { exitCode: 0, finishedAt: aTime.toISOString() }

const discovered = { ...readyConnection, lastDiscoveryTime: aTime.toISOString() }

const waiting: Snapshot = {
  key: 'team/now',
  run: aRun(),
  managedScan: aManagedScan(),
  repository: aRepository(),
  connection: aConnection({ status: discovered }),
  job: undefined,
  pod: undefined,
  admitted: false,
  credentialReleased: false,
  namespaceFault: undefined,
}
const scanning: Snapshot = { ...waiting, run: aRun('now', { status: running }), job: aJob(), pod: aPod() }

/** `type` or `type reason` of each action. */
function actions(snapshot: Snapshot, now = later(1)): string[] {
  return decide(snapshot, now).map((action) => ('reason' in action ? `${action.type} ${action.reason}` : action.type))
}

interface Row {
  readonly when: string
  readonly is: Snapshot
  readonly at?: Date
  readonly does: readonly string[]
}

function table(name: string, rows: readonly Row[]): void {
  describe(name, () => {
    for (const { when, is, at, does } of rows) test(when, () => assert.deepEqual(actions(is, at), does))
  })
}

const waits = (reason: string) => ['withdraw', `writeWaiting ${reason}`]
const refuses = (reason: string) => ['withdraw', `fail ${reason}`]

table('a run without a Job', [
  { when: 'asks for its turn', is: waiting, does: ['requestAdmission'] },
  { when: 'starts when it is its turn', is: { ...waiting, admitted: true }, does: ['dispatch'] },
  {
    when: 'that could not ask before says that it waits for its turn now',
    is: {
      ...waiting,
      run: aRun('now', { status: { conditions: [condition('Ready', 'Unknown', 'ConnectionNotReady')] } }),
    },
    does: ['writeWaiting Waiting', 'requestAdmission'],
  },
  {
    when: 'that its code host put off keeps saying so',
    is: { ...waiting, run: aRun('now', { status: { conditions: [condition('Ready', 'Unknown', 'CodeHostBusy')] } }) },
    does: ['requestAdmission'],
  },
  {
    when: 'fails without its ManagedScan',
    is: { ...waiting, managedScan: undefined },
    does: refuses('ManagedScanNotFound'),
  },
  {
    when: 'fails when its ManagedScan is being deleted',
    is: { ...waiting, managedScan: aManagedScan({ meta: deleted }) },
    does: refuses('ManagedScanNotFound'),
  },
  {
    when: 'fails without its connection',
    is: { ...waiting, connection: undefined },
    does: refuses('ConnectionNotFound'),
  },
  {
    when: 'fails when its connection is being deleted',
    is: { ...waiting, connection: aConnection({ status: readyConnection, meta: deleted }) },
    does: refuses('ConnectionNotFound'),
  },
  {
    when: 'fails without its repository',
    is: { ...waiting, repository: undefined },
    does: refuses('RepositoryNotFound'),
  },
  {
    when: 'waits for the first discovery before it misses its repository',
    is: { ...waiting, connection: aConnection({ status: readyConnection }), repository: undefined },
    does: waits('ConnectionNotReady'),
  },
  {
    when: 'waits for a connection that is not ready',
    is: { ...waiting, connection: aConnection() },
    does: waits('ConnectionNotReady'),
  },
  {
    when: 'waits for a connection that is not ready before it looks for its repository',
    is: { ...waiting, connection: aConnection(), repository: undefined },
    does: waits('ConnectionNotReady'),
  },
  {
    when: 'waits while its connection is suspended',
    is: { ...waiting, connection: aConnection({ spec: { suspend: true } }) },
    does: waits('Waiting'),
  },
  {
    when: 'waits while its ManagedScan is suspended',
    is: { ...waiting, managedScan: aManagedScan({ spec: { suspend: true } }) },
    does: waits('Waiting'),
  },
  {
    when: 'waits while its repository is suspended',
    is: { ...waiting, repository: aRepository('shop', { spec: { suspend: true } }) },
    does: waits('Waiting'),
  },
  {
    when: 'waits while the scan namespace does not isolate, also when it was admitted',
    is: { ...waiting, admitted: true, namespaceFault: 'It is open.' },
    does: waits('NamespaceNotIsolated'),
  },
  {
    when: 'that was started once has lost it, which the API server has to confirm',
    is: { ...waiting, run: aRun('now', { status: running }) },
    does: ['withdraw', 'failIfJobGone'],
  },
])

table('a run with a Job', [
  {
    when: 'is told as running, before anything else is decided',
    is: { ...scanning, run: aRun(), managedScan: undefined },
    does: ['withdraw', 'writeRunning'],
  },
  { when: 'goes on while its pod runs', is: scanning, does: ['withdraw'] },
  {
    when: 'gives its credential back when the clone has ended',
    is: { ...scanning, pod: aPod({ phase: 'Running', containerStatuses: containers({ clone: done }) }) },
    does: ['withdraw', 'releaseCredential'],
  },
  {
    when: 'gives its credential back once',
    is: {
      ...scanning,
      credentialReleased: true,
      pod: aPod({ phase: 'Running', containerStatuses: containers({ clone: done }) }),
    },
    does: ['withdraw'],
  },
  {
    when: 'discards a Job that was never unsuspended',
    is: { ...waiting, job: aJob({ suspend: true }) },
    does: ['discardJob'],
  },
  {
    when: 'waits for a suspended Job to go that somebody deletes',
    is: { ...waiting, job: aJob({ suspend: true, meta: deleted }) },
    does: [],
  },
  {
    when: 'removes the Job of an earlier run of its name, and looks again',
    is: { ...waiting, job: aJob({ facts: { ...facts, runUid: 'uid-earlier' } }) },
    does: ['releaseCredential', 'deleteJob', 'requeue'],
  },
  {
    when: 'is cancelled without its ManagedScan',
    is: { ...scanning, managedScan: undefined },
    does: refuses('Cancelled'),
  },
  {
    when: 'is cancelled without its connection',
    is: { ...scanning, connection: undefined },
    does: refuses('Cancelled'),
  },
  {
    when: 'is cancelled when its connection is suspended',
    is: { ...scanning, connection: aConnection({ spec: { suspend: true } }) },
    does: refuses('Cancelled'),
  },
  {
    when: 'goes on when its ManagedScan is suspended',
    is: { ...scanning, managedScan: aManagedScan({ spec: { suspend: true } }) },
    does: ['withdraw'],
  },
  {
    when: 'goes on while its connection is not ready',
    is: { ...scanning, connection: aConnection() },
    does: ['withdraw'],
  },
  {
    when: 'fails as its pod did',
    is: { ...scanning, job: aJob({ failed: { reason: 'DeadlineExceeded' } }) },
    does: refuses('DeadlineExceeded'),
  },
  {
    when: 'is patient with a pod that starts',
    is: { ...scanning, pod: aPod({ phase: 'Pending' }) },
    does: ['withdraw', 'requeue'],
  },
  {
    when: 'fails when its pod has not started for ten minutes',
    is: { ...scanning, pod: aPod({ phase: 'Pending' }) },
    at: later(600),
    does: refuses('PodNotStarted'),
  },
  {
    when: 'fails when no pod was made for ten minutes',
    is: { ...scanning, pod: undefined },
    at: later(600),
    does: refuses('PodRefused'),
  },
  {
    when: 'waits for the result of a pod that ended well',
    is: { ...scanning, pod: aPod({ phase: 'Succeeded', containerStatuses: containers({ clone: done, scan: done }) }) },
    does: ['withdraw', 'releaseCredential', 'requeue'],
  },
  {
    when: 'fails when that result does not come for two minutes',
    is: { ...scanning, pod: aPod({ phase: 'Succeeded', containerStatuses: containers({ clone: done, scan: done }) }) },
    at: later(121),
    does: ['withdraw', 'releaseCredential', 'fail NoResult'],
  },
])

for (const [name, status] of [
  ['complete', complete],
  ['failed', failed],
] as const) {
  table(`a run that is ${name}`, [
    {
      when: 'removes its Job',
      is: { ...scanning, run: aRun('now', { status }) },
      does: ['withdraw', 'releaseCredential', 'deleteJob'],
    },
    {
      when: 'does not delete a Job twice, and still gives its credential back',
      is: { ...scanning, run: aRun('now', { status }), job: aJob({ meta: deleted }) },
      does: ['withdraw', 'releaseCredential'],
    },
    {
      when: 'waits for its pod to go',
      is: { ...scanning, run: aRun('now', { status }), job: undefined },
      does: ['withdraw'],
    },
    {
      when: 'records the evidence when all is gone',
      is: { ...waiting, run: aRun('now', { status }) },
      does: ['withdraw', 'finish'],
    },
    {
      when: 'is left alone afterwards',
      is: {
        ...waiting,
        run: aRun('now', { status: { ...status, evidence: { podDeletedTime: aTime.toISOString() } } }),
      },
      does: ['withdraw'],
    },
  ])
}

table('a run that is gone', [
  { when: 'asks for nothing', is: { ...waiting, run: undefined }, does: ['withdraw'] },
  {
    when: 'takes its Job with it',
    is: { ...scanning, run: undefined },
    does: ['withdraw', 'releaseCredential', 'deleteJob'],
  },
  {
    when: 'takes its Job with it as soon as its deletion was asked for',
    is: { ...scanning, run: aRun('now', { status: running, meta: deleted }) },
    does: ['withdraw', 'releaseCredential', 'deleteJob'],
  },
])

describe('sentences', () => {
  const message = (snapshot: Snapshot) => decide(snapshot, later(1)).find((action) => 'message' in action)?.message

  test('name what is missing and where to look', () => {
    assert.equal(
      message({ ...waiting, repository: undefined }),
      'There is no ScmRepository acme-shop in this namespace.',
    )
    const byName = aRun('now', { spec: { repository: { fullName: 'acme/nope' } } })
    assert.match(
      message({ ...waiting, run: byName, repository: undefined }) ?? '',
      /acme has not discovered acme\/nope/,
    )
  })

  test('say why a pod does not start', () => {
    const unscheduled = { type: 'PodScheduled', status: 'False', message: '0/1 nodes are available' }
    const pod = aPod({ phase: 'Pending', conditions: [unscheduled] })
    const [, fail] = decide({ ...scanning, pod }, later(601))
    assert.equal(fail && 'message' in fail && fail.message, 'The pod did not start: 0/1 nodes are available')
  })
})
