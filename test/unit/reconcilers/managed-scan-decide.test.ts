import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ScanRun } from '../../../operator/api/kinds.ts'
import { annotations } from '../../../operator/api/names.ts'
import {
  decide,
  isOnlyProgress,
  mostWaiting,
  runName,
  type Snapshot,
  select,
} from '../../../operator/reconcilers/managed-scan/decide.ts'
import { kubeStatus } from '../../support/kstatus.ts'
import {
  aConnection,
  aManagedScan,
  aRepository,
  aRun,
  aTime,
  condition,
  later,
  readyConnection,
} from '../../support/objects.ts'

const connection = aConnection({ status: readyConnection })
const asked = { annotations: { [annotations.requestedAt]: 'now' } }
const shop = aRepository('shop')
const pay = aRepository('pay')

function snapshot(changes: Partial<Snapshot> = {}): Snapshot {
  return { managedScan: aManagedScan(), connection, repositories: [shop], runs: [], ...changes }
}

function made(given: Snapshot): string[] {
  return decide(given, aTime).flatMap((one) =>
    one.type === 'createRun' ? `${one.reason} ${one.repository.spec.fullName}` : [],
  )
}

function statusOf(given: Snapshot) {
  const write = decide(given, aTime).find((one) => one.type === 'writeStatus')
  assert.ok(write)
  return write.status
}

type End = 'Complete' | 'Failed'
function ended(name: string, end: End, second = 0, repository = 'acme-shop'): ScanRun {
  const status = {
    startTime: aTime.toISOString(),
    evidence: { podDeletedTime: aTime.toISOString() },
    conditions: [condition(end, 'True', end === 'Complete' ? 'Succeeded' : 'JobLost')],
  }
  return aRun(name, {
    spec: { repository: { name: repository } },
    status,
    meta: { creationTimestamp: later(second).toISOString() },
  })
}

describe('runs that are made', () => {
  test('one for each repository that was never scanned', () => {
    assert.deepEqual(made(snapshot({ repositories: [shop, pay] })), ['Initial acme/shop', 'Initial acme/pay'])
    assert.deepEqual(made(snapshot({ runs: [ended('first', 'Failed')] })), [])
  })

  for (const [why, given] of Object.entries({
    'without a connection': snapshot({ connection: undefined }),
    'while suspended': snapshot({ managedScan: aManagedScan({ spec: { suspend: true } }) }),
    'while it is being deleted': snapshot({
      managedScan: aManagedScan({ meta: { deletionTimestamp: aTime.toISOString() } }),
    }),
    'for a repository that is suspended': snapshot({
      repositories: [aRepository('shop', { spec: { suspend: true } })],
    }),
    'for a repository that is missing at the host': snapshot({
      repositories: [aRepository('shop', { status: { missingSince: aTime.toISOString() } })],
    }),
    'when first scans are not wanted': snapshot({
      managedScan: aManagedScan({ spec: { schedule: { initial: false, full: 'None', timeZone: 'UTC' } } }),
    }),
  }))
    test(`none ${why}`, () => assert.deepEqual(made(given), []))

  test('for all repositories, scanned or not, when that was asked for; once for each time', () => {
    const managedScan = aManagedScan({ meta: asked })
    const runs = [ended('first', 'Complete')]
    assert.deepEqual(made(snapshot({ managedScan, repositories: [shop, pay], runs })), [
      'Requested acme/shop',
      'Requested acme/pay',
    ])
    assert.equal(statusOf(snapshot({ managedScan, runs })).lastHandledRequest, 'now')

    const name = runName(managedScan, shop, 'Requested', 'now')
    assert.deepEqual(made(snapshot({ managedScan, runs: [ended(name, 'Complete')] })), [])
    const handled = aManagedScan({ meta: asked, status: { lastHandledRequest: 'now' } })
    assert.deepEqual(made(snapshot({ managedScan: handled, runs })), [])
  })

  test('for one repository when that was asked for, which is acknowledged there', () => {
    const repository = aRepository('shop', { meta: asked })
    const actions = decide(snapshot({ repositories: [repository], runs: [ended('first', 'Complete')] }), aTime)
    assert.deepEqual(
      actions.map(({ type }) => type),
      ['createRun', 'acknowledge', 'writeStatus'],
    )
  })

  test('never more than may wait at once; what was asked for is not handled before all were made', () => {
    const repositories = Array.from({ length: mostWaiting + 5 }, (_, index) => aRepository(`r${index}`))
    const given = snapshot({ managedScan: aManagedScan({ meta: asked }), repositories })
    assert.equal(made(given).length, mostWaiting)
    assert.equal(statusOf(given).lastHandledRequest, undefined)
  })
})

describe('the name of a run', () => {
  const scan = aManagedScan()
  test('is the same for the same reason, and readable', () => {
    assert.match(runName(scan, shop, 'Initial'), /^shop-initial-[0-9a-f]{12}$/)
    assert.equal(runName(scan, shop, 'Initial'), runName(aManagedScan(), aRepository('shop'), 'Initial'))
  })

  test('differs for anything that makes it another scan', () => {
    const names = [
      runName(scan, shop, 'Initial'),
      runName(scan, pay, 'Initial'),
      runName(scan, shop, 'Requested'),
      runName(scan, shop, 'Requested', 'again'),
      runName(aManagedScan({ meta: { uid: 'made-anew' } }), shop, 'Initial'),
    ]
    assert.equal(new Set(names).size, names.length)
  })

  test('survives a rename and is a Kubernetes name whatever the repository is called', () => {
    const suffix = (name: string) => name.slice(-12)
    const renamed = aRepository('shop', { spec: { fullName: 'acme/store' } })
    assert.equal(suffix(runName(scan, renamed, 'Initial')), suffix(runName(scan, shop, 'Initial')))
    for (const fullName of ['acme/..', 'acme/Ünïcode', `acme/${'x'.repeat(300)}`, 'acme/-.-'])
      assert.match(
        runName(scan, aRepository('shop', { spec: { fullName } }), 'Initial'),
        /^[a-z0-9]([-a-z0-9]{0,98}[a-z0-9])?$/,
      )
  })
})

describe('history', () => {
  const deleted = (runs: readonly ScanRun[]) =>
    decide(snapshot({ runs }), aTime).flatMap((one) => (one.type === 'deleteRun' ? one.run.metadata.name : []))

  test('keeps the newest of each kind for each repository', () => {
    const complete = [1, 2, 3, 4].map((second) => ended(`complete-${second}`, 'Complete', second))
    const failed = [1, 2, 3, 4, 5].map((second) => ended(`failed-${second}`, 'Failed', second))
    assert.deepEqual(deleted([...complete, ...failed]).sort(), ['complete-1', 'failed-1', 'failed-2'])
    assert.deepEqual(deleted(complete.slice(1)), [])
  })

  test('waits until the pod of a run is gone', () => {
    const runs = [1, 2, 3, 4].map((second) => ended(`r${second}`, 'Complete', second))
    const untidy = { ...(runs[0] as ScanRun), status: { ...runs[0]?.status, evidence: {} } } as ScanRun
    assert.deepEqual(deleted([untidy, ...runs.slice(1)]), [])
  })
})

describe('selection', () => {
  const names = (spec: object, repositories = [shop, pay]) =>
    select({ managedScan: aManagedScan({ spec: { repositories: spec } }), repositories }).map(
      ({ spec }) => spec.fullName,
    )

  test('takes all, by glob, without the excluded, by topic and by label', () => {
    const labelled = aRepository('web', { spec: { topics: ['tier-1'] }, meta: { labels: { team: 'a' } } })
    assert.deepEqual(names({}), ['acme/shop', 'acme/pay'])
    assert.deepEqual(names({ include: ['acme/s*'] }), ['acme/shop'])
    assert.deepEqual(names({ exclude: ['acme/s*'] }), ['acme/pay'])
    assert.deepEqual(names({ topics: ['tier-1'] }, [shop, labelled]), ['acme/web'])
    assert.deepEqual(names({ matchLabels: { team: 'a' } }, [shop, labelled]), ['acme/web'])
  })
})

describe('the status', () => {
  const counts = { critical: 1, high: 0, medium: 0, low: 0 }
  const scanned = aRepository('shop', {
    status: { lastScan: { verdict: 'Findings', findings: { total: 1, bySeverity: counts } } },
  })
  const blocked = aRepository('pay', { status: { lastScan: { verdict: 'Blocked', findings: { total: 2 } } } })
  const runs = [ended('first', 'Complete')]

  for (const [reason, kstatus, given] of [
    ['Scanning', 'InProgress', snapshot()],
    ['Ready', 'Current', snapshot({ repositories: [scanned], runs })],
    ['NothingSelected', 'Current', snapshot({ repositories: [] })],
    ['ConnectionNotFound', 'Failed', snapshot({ connection: undefined })],
    ['ConnectionNotReady', 'InProgress', snapshot({ connection: aConnection() })],
    ['Suspended', 'Failed', snapshot({ managedScan: aManagedScan({ spec: { suspend: true } }) })],
    ['ScansFailed', 'Failed', snapshot({ repositories: [scanned], runs: [ended('last', 'Failed')] })],
  ] as const)
    test(`says ${reason}, which tools read as ${kstatus}`, () => {
      const status = statusOf(given)
      assert.equal(status.conditions?.find(({ type }) => type === 'Ready')?.reason, reason)
      assert.equal(kubeStatus({ ...given.managedScan, status }), kstatus)
    })

  test('adds up repositories and findings, and the worst verdict', () => {
    const status = statusOf(
      snapshot({ repositories: [scanned, blocked], runs: [...runs, ended('b', 'Complete', 0, 'acme-pay')] }),
    )
    assert.deepEqual(status.repositories, { selected: 2, scanned: 2, running: 0, waiting: 0, failed: 0 })
    assert.deepEqual([status.findings?.total, status.findings?.bySeverity?.critical, status.verdict], [3, 1, 'Blocked'])
  })

  test('says openly that the schedule is not acted upon', () => {
    const managedScan = aManagedScan({ spec: { schedule: { initial: true, full: 'Weekly', timeZone: 'UTC' } } })
    assert.match(statusOf(snapshot({ managedScan })).conditions?.[0]?.message ?? '', /does not act on it/)
  })

  test('may be told later while scans go on, but not their end nor what was handled', () => {
    const scanning = statusOf(snapshot())
    const ready = statusOf(snapshot({ repositories: [scanned], runs }))
    assert.equal(isOnlyProgress(scanning, { ...scanning, findings: { total: 9 } }), true)
    assert.equal(isOnlyProgress(scanning, { ...scanning, lastHandledRequest: 'now' }), false)
    assert.equal(isOnlyProgress(scanning, { ...scanning, observedGeneration: 2 }), false)
    assert.equal(isOnlyProgress(scanning, ready), false)
    assert.equal(isOnlyProgress(undefined, scanning), false)
  })
})
