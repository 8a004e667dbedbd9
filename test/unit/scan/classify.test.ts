/** What became of an attempt, from what the kubelet and the Job controller say. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { scanRunReasons } from '../../../operator/api/conditions.ts'
import type { Job, Pod } from '../../../operator/kube/objects.ts'
import { classify, hasCloneEnded } from '../../../operator/scan/classify.ts'
import { exitCodes } from '../../../operator/scan/contract/exit.ts'
import { aJob, aPod, aTime, containers, type Ended, later } from '../../support/objects.ts'

const done: Ended = { exitCode: 0, finishedAt: aTime.toISOString() }
const exit = (exitCode: number, message?: string, reason = 'Error'): Ended => ({
  exitCode,
  reason,
  finishedAt: aTime.toISOString(),
  ...(message !== undefined && { message }),
})
const said = (reason: string, message = 'Why.') => JSON.stringify({ reason, message })
const failedPod = (ends: { clone?: Ended; scan?: Ended }, meta = {}) =>
  aPod({ phase: 'Failed', containerStatuses: containers(ends) }, meta)

/** The state, or the reason of the failure. */
function outcome(pod: Pod | undefined, job: Job = aJob()): string {
  const attempt = classify(job, pod)
  return attempt.state === 'Failed' ? attempt.failure.reason : attempt.state
}

function message(pod: Pod | undefined, job: Job = aJob()): string {
  const attempt = classify(job, pod)
  return attempt.state === 'Failed' ? attempt.failure.message : ''
}

describe('an attempt', () => {
  const deleting = { deletionTimestamp: later(10).toISOString() }
  for (const [what, is, expected] of [
    ['starts without a pod', outcome(undefined), 'Starting'],
    ['starts while its pod is pending', outcome(aPod({ phase: 'Pending' })), 'Starting'],
    ['runs while its pod does', outcome(aPod({ phase: 'Running' })), 'Running'],
    [
      'runs while clone is done and scan goes on',
      outcome(aPod({ phase: 'Running', containerStatuses: containers({ clone: done }) })),
      'Running',
    ],
    [
      'ended when its pod succeeded',
      outcome(aPod({ phase: 'Succeeded', containerStatuses: containers({ clone: done, scan: done }) })),
      'Ended',
    ],
    [
      'failed as soon as a container did',
      outcome(aPod({ phase: 'Running', containerStatuses: containers({ clone: exit(13) }) })),
      'CloneRefused',
    ],
    ['took its clone for the cause', outcome(failedPod({ clone: exit(15), scan: exit(20) })), 'RepositoryTooLarge'],
    ['had nothing handed over', outcome(failedPod({ clone: done, scan: exit(20) })), 'NothingHandedOver'],
    ['was out of memory', outcome(failedPod({ clone: done, scan: exit(137, undefined, 'OOMKilled') })), 'OutOfMemory'],
    ['was killed without a word', outcome(failedPod({ clone: done, scan: exit(137) })), 'OutOfMemory'],
    ['says more than its exit code', outcome(failedPod({ scan: exit(22, said('EngineTimedOut')) })), 'EngineTimedOut'],
    [
      'cannot say a reason that there is not',
      outcome(failedPod({ scan: exit(22, said('Succeeded')) })),
      'EngineFailed',
    ],
    ['is not believed when it says no JSON', outcome(failedPod({ scan: exit(22, '{') })), 'EngineFailed'],
    ['failed in an unknown way while cloning', outcome(failedPod({ clone: exit(1) })), 'CloneFailed'],
    ['failed in an unknown way while scanning', outcome(failedPod({ clone: done, scan: exit(1) })), 'InternalError'],
    ['was evicted', outcome(aPod({ phase: 'Failed', reason: 'Evicted', message: 'disk' })), 'Evicted'],
    ['failed without a container', outcome(aPod({ phase: 'Failed', reason: 'UnexpectedAdmissionError' })), 'NoResult'],
    [
      'passed its deadline',
      outcome(failedPod({ scan: exit(31) }), aJob({ failed: { reason: 'DeadlineExceeded' } })),
      'DeadlineExceeded',
    ],
    ['lost its pod', outcome(undefined, aJob({ failed: { reason: 'BackoffLimitExceeded' } })), 'JobLost'],
    [
      'failed as a Job and says nothing',
      outcome(aPod(), aJob({ failed: { reason: 'BackoffLimitExceeded' } })),
      'NoResult',
    ],
    ['waits for the Job while its pod is deleted', outcome(aPod({ phase: 'Running' }, deleting)), 'Running'],
    [
      'lost a pod that was deleted',
      outcome(aPod({ phase: 'Running' }, deleting), aJob({ failed: { reason: 'BackoffLimitExceeded' } })),
      'JobLost',
    ],
    [
      'does not take the words of a pod that was told to end for the cause',
      outcome(failedPod({ scan: exit(31) }, { deletionTimestamp: aTime.toISOString() })),
      'Running',
    ],
    ['takes what a pod said before it was deleted', outcome(failedPod({ scan: exit(22) }, deleting)), 'EngineFailed'],
  ] as const)
    test(what, () => assert.equal(is, expected))

  for (const [reason, code] of Object.entries(exitCodes))
    test(`fails as ${reason} with exit code ${code}`, () => {
      assert.equal(outcome(failedPod({ clone: exit(code) })), reason)
      assert.equal(scanRunReasons[reason as keyof typeof scanRunReasons].final, true)
    })

  test('tells what the pod says, without what could steer a terminal', () => {
    const hostile = said('EngineFailed', 'bad\u001b[2J\nfile \u202egnp.exe')
    assert.equal(message(failedPod({ scan: exit(22, hostile) })), 'bad [2J file  gnp.exe')
  })

  test('says what keeps a pod from starting', () => {
    const statuses = [{ name: 'clone', state: { waiting: { reason: 'ImagePullBackOff', message: 'no such image' } } }]
    const attempt = classify(aJob(), aPod({ phase: 'Pending', containerStatuses: statuses }))
    assert.deepEqual(attempt, { state: 'Starting', hindrance: 'ImagePullBackOff: no such image' })
    const creating = [{ name: 'clone', state: { waiting: { reason: 'ContainerCreating' } } }]
    assert.deepEqual(classify(aJob(), aPod({ phase: 'Pending', containerStatuses: creating })), { state: 'Starting' })
  })
})

test('the clone needs its credential until it has ended, well or not', () => {
  assert.equal(hasCloneEnded(undefined), false)
  assert.equal(hasCloneEnded(aPod({ phase: 'Running', containerStatuses: containers({}) })), false)
  assert.equal(hasCloneEnded(aPod({ phase: 'Running', containerStatuses: containers({ clone: done }) })), true)
  assert.equal(hasCloneEnded(aPod({ phase: 'Running', containerStatuses: containers({ clone: exit(13) }) })), true)
})
