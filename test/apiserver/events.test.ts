/** Specification of Kubernetes events: seen by people, never repeated, never in the way, never with a secret. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { createKubeClient } from '../../operator/kube/client.ts'
import { loadConnection } from '../../operator/kube/connection.ts'
import { createEventRecorder, type EventRecorder } from '../../operator/kube/events.ts'
import type { KubeEvent, ObjectReference } from '../../operator/kube/objects.ts'
import { resources } from '../../operator/kube/resources.ts'
import type { Metrics } from '../../operator/telemetry/metrics.ts'
import { createRedactor } from '../../operator/telemetry/redact.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { type ControlPlane, openControlPlane, testLog, testMetrics } from '../support/kubernetes.ts'
import { scmConnection } from '../support/manifests.ts'

describe('events', () => {
  let kube: ControlPlane
  let namespace: string
  let object: ObjectReference
  let recorder: EventRecorder
  let metrics: Metrics
  const redactor = createRedactor()

  before(async () => {
    kube = await openControlPlane()
  })
  after(() => kube.close())
  beforeEach(async () => {
    namespace = await kube.createNamespace('events')
    const { metadata } = await kube.client.create(resources.scmConnections, namespace, scmConnection('acme'))
    object = { apiVersion: 'scanfleet.dev/v1alpha1', kind: 'ScmConnection', name: 'acme', namespace, uid: metadata.uid }
    metrics = testMetrics()
    recorder = make(kube.client)
  })

  function make(client: ControlPlane['client'], now?: () => Date): EventRecorder {
    const { log } = testLog()
    const common = { client, component: 'scanfleet-controller', instance: 'pod-1', redactor, log, metrics }
    return createEventRecorder({ ...common, ...(now && { now }) })
  }

  async function written(): Promise<KubeEvent[]> {
    await recorder.flush()
    return (await kube.client.list(resources.events, namespace)).items
  }

  it('stand at their object, where kubectl describe shows them', async () => {
    recorder.event(object, 'Warning', 'SecretNotFound', 'Secret acme-token does not exist.')
    await recorder.flush()

    const description = await kube.kubectl(['describe', 'scmconn', 'acme', '--namespace', namespace])

    assert.match(
      description,
      /Warning\s+SecretNotFound\s+\S+\s+scanfleet-controller\s+Secret acme-token does not exist\./,
    )
  })

  it('are counted, not repeated', async () => {
    for (let times = 0; times < 5; times++) recorder.event(object, 'Warning', 'RateLimited', 'Wait.')
    recorder.event(object, 'Warning', 'RateLimited', 'Wait longer.')

    const events = await written()

    assert.deepEqual(events.map(({ message, count }) => [message, count]).sort(), [
      ['Wait longer.', 1],
      ['Wait.', 5],
    ])
  })

  it('begin anew after an hour, and when the server has forgotten them', async () => {
    let time = new Date('2026-01-02T03:04:05Z')
    recorder = make(kube.client, () => time)
    recorder.event(object, 'Normal', 'Connected', 'Hello.')
    const [first] = await written()
    await kube.client.delete(resources.events, namespace, first?.metadata.name ?? '')
    time = new Date('2026-01-02T05:04:05Z')
    recorder.event(object, 'Normal', 'Connected', 'Hello.')

    const events = await written()

    assert.deepEqual(
      events.map(({ count, firstTimestamp }) => [count, firstTimestamp]),
      [[1, '2026-01-02T05:04:05Z']],
    )
  })

  it('say no secret', async () => {
    const release = redactor.register('fake-token-in-a-message')
    recorder.event(object, 'Warning', 'AuthenticationFailed', 'Refused: fake-token-in-a-message')

    const [event] = await written()

    assert.equal(event?.message, 'Refused: [redacted]')
    release()
  })

  it('are cut to the length that the API server takes', async () => {
    recorder.event(object, 'Warning', 'UnexpectedReply', 'x'.repeat(10_000))

    assert.equal((await written())[0]?.message?.length, 1024)
  })

  it('of one object that does not stop are limited, and others are heard', async () => {
    for (let index = 0; index < 200; index++) recorder.event(object, 'Warning', 'HostUnreachable', `Attempt ${index}.`)
    recorder.event({ ...object, uid: 'another' }, 'Normal', 'Connected', 'All is well.')

    const events = await written()

    assert.equal(events.filter(({ reason }) => reason === 'HostUnreachable').length, 25)
    assert.equal(events.filter(({ reason }) => reason === 'Connected').length, 1)
    assert.equal((await metrics.eventsDropped.get()).values[0]?.value, 175)
  })

  it('are no reason to fail when they cannot be written, and are written once when an answer is lost', async () => {
    const proxy = await startFaultProxy(await loadConnection({ kubeconfig: kube.cluster.kubeconfig }))
    const client = createKubeClient({ connection: proxy.connection, metrics })
    recorder = make(client)
    proxy.inject({ do: 'refuse', status: 403, reason: 'Forbidden' }, () => true, 1)
    recorder.event(object, 'Normal', 'Connected', 'Refused.')
    await recorder.flush()
    proxy.inject({ do: 'lose-answer' }, () => true, 1)
    recorder.event(object, 'Normal', 'Connected', 'Lost.')
    await recorder.flush()
    recorder.event(object, 'Normal', 'Connected', 'Lost.')

    const events = await written()

    assert.deepEqual(
      events.map(({ message }) => message),
      ['Lost.'],
    )
    await client.close()
    await proxy.stop()
  })
})
