import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import {
  condition,
  createRepository,
  createWaitingRun,
  type GatewayUnderTest,
  makeFolder,
  readRun,
  startGateway,
  tellToken,
} from '../support/gateway.ts'
import { type ControlPlane, openControlPlane } from '../support/kubernetes.ts'
import { anUpload } from '../support/results.ts'
import { until } from '../support/wait.ts'

describe('the gateway takes results', () => {
  let plane: ControlPlane
  let namespace: string
  let folder: Awaited<ReturnType<typeof makeFolder>>
  let gateway: GatewayUnderTest

  before(async () => {
    plane = await openControlPlane()
    namespace = await plane.createNamespace('gateway')
    folder = await makeFolder()
    await createRepository(plane.client, namespace, 'shop')
    gateway = await startGateway(plane.client, namespace, folder.path)
  })
  after(async () => {
    await gateway?.stop()
    await folder?.remove()
    await plane?.close()
  })

  const complete = async (run: Awaited<ReturnType<typeof createWaitingRun>>) =>
    until('the run is complete', async () => {
      const seen = await readRun(plane.client, run)
      return condition(seen, 'Complete') === 'True' ? seen : undefined
    })

  test('an accepted result completes its run with counts, evidence and one sentence', async () => {
    const run = await createWaitingRun(plane.client, namespace, 'shop')
    const findings = [
      { id: 'sqli', severity: 'Critical' as const },
      { id: 'lodash', product: 'SupplyChain' as const },
      { id: 'key', product: 'Secrets' as const },
    ]

    const answer = await gateway.upload(run, anUpload(findings))

    assert.deepEqual([answer.status, answer.body], [200, '{"outcome":"Accepted"}'])
    const { status } = await complete(run)
    assert.equal(status?.result?.verdict, 'Findings')
    assert.deepEqual(status?.result?.findings?.bySeverity, { critical: 1, high: 2, medium: 0, low: 0 })
    assert.equal(status?.result?.findings?.new, 3)
    assert.equal(status?.result?.suppressed, 2)
    assert.equal(status?.result?.engines?.length, 3)
    assert.deepEqual(status?.evidence, {
      image: 'scanner',
      fenceProvenTime: '2026-01-01T00:00:00Z',
      cloneStartTime: '2026-01-01T00:00:01Z',
      cloneEndTime: '2026-01-01T00:00:02Z',
      files: 10,
      bytes: 2048,
    })
    assert.ok(status?.completionTime)
    const ready = status?.conditions?.find(({ type }) => type === 'Ready')
    assert.deepEqual([ready?.status, ready?.reason], ['True', 'Succeeded'])
    assert.equal(ready?.message, '3 findings (3 new): 1 critical, 2 high')
  })

  test('the status of a run is written exactly once', async () => {
    const run = await createWaitingRun(plane.client, namespace, 'shop')
    await gateway.upload(run, anUpload([]))
    const ended = await complete(run)

    const again = await gateway.upload(run, anUpload([]))

    assert.equal(again.status, 200)
    await until('the outcome is remembered as written', () =>
      gateway.lines.some(({ msg, scanRun }) => msg === 'outcome written to the scan run' && scanRun === run.name),
    )
    assert.equal((await readRun(plane.client, run)).metadata.resourceVersion, ended.metadata.resourceVersion)
  })

  test('a token that is known a moment later is waited for', async () => {
    const run = await createWaitingRun(plane.client, namespace, 'shop', { withoutStatus: true })

    const answering = gateway.upload(run, anUpload([]))
    await tellToken(plane.client, run, 'shop')

    assert.equal((await answering).status, 200)
  })

  test('the same upload ten times at once is one result', async () => {
    const run = await createWaitingRun(plane.client, namespace, 'shop')
    const upload = anUpload([{ id: 'twice' }])

    const answers = await Promise.all(Array.from({ length: 10 }, () => gateway.upload(run, upload)))

    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
    assert.equal((await complete(run)).status?.result?.findings?.total, 1)
  })

  test('of two different uploads at once one wins and the other is told so', async () => {
    const run = await createWaitingRun(plane.client, namespace, 'shop')

    const answers = await Promise.all([
      gateway.upload(run, anUpload([])),
      gateway.upload(run, anUpload([{ id: 'a' }, { id: 'b' }])),
    ])

    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409])
    const total = answers[0]?.status === 200 ? 0 : 2
    assert.equal((await complete(run)).status?.result?.findings?.total, total)
  })

  test('a run that somebody else ended stays as it was ended', async () => {
    const failed = { type: 'Failed', status: 'True', reason: 'DeadlineExceeded', message: 'Too long.' }
    const conditions = [{ ...failed, lastTransitionTime: new Date().toISOString() }]
    const run = await createWaitingRun(plane.client, namespace, 'shop', { status: { conditions } })

    const answer = await gateway.upload(run, anUpload([]))

    assert.deepEqual([answer.status, JSON.parse(answer.body).reason], [410, 'RunEnded'])
    assert.equal(condition(await readRun(plane.client, run), 'Complete'), undefined)
  })

  test('a token that has expired is refused and the run is left to the controller', async () => {
    const attempt = { uploadExpirationTime: '2020-01-01T00:00:00Z' }
    const run = await createWaitingRun(plane.client, namespace, 'shop', { attempt })

    const answer = await gateway.upload(run, anUpload([]))

    assert.equal(answer.status, 410)
    assert.equal(condition(await readRun(plane.client, run), 'Failed'), undefined)
  })

  test('the canary port accepts and hangs up', async () => {
    const socket = connect(gateway.gateway.ports.canary, '127.0.0.1')
    await once(socket, 'connect')
    socket.resume()
    await once(socket, 'close')
  })

  test('readiness names what it waits for and is given when all is there', async () => {
    const answer = await fetch(`http://127.0.0.1:${gateway.gateway.ports.health}/readyz`)
    assert.equal(answer.status, 200)
    assert.match(await answer.text(), /caches ok\n.*store ok\n.*listener ok/)
  })
})
