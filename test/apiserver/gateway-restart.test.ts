import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import { connect } from 'node:tls'
import { gzipSync } from 'node:zlib'
import { type FindingsStore, openStore } from '../../operator/gateway/store/index.ts'
import { createKubeClient } from '../../operator/kube/client.ts'
import { loadConnection } from '../../operator/kube/connection.ts'
import { resources } from '../../operator/kube/resources.ts'
import { aScan } from '../support/acceptances.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import {
  condition,
  createRepository,
  createWaitingRun,
  type GatewayUnderTest,
  makeFolder,
  readRun,
  startGateway,
  type WaitingRun,
} from '../support/gateway.ts'
import { type ControlPlane, openControlPlane, testMetrics } from '../support/kubernetes.ts'
import { anUpload } from '../support/results.ts'
import { until } from '../support/wait.ts'

describe('the gateway through restarts and faults', () => {
  let plane: ControlPlane
  let namespace: string
  let folder: Awaited<ReturnType<typeof makeFolder>>
  let gateway: GatewayUnderTest | undefined

  before(async () => {
    plane = await openControlPlane()
    namespace = await plane.createNamespace('restart')
    await createRepository(plane.client, namespace, 'shop')
  })
  beforeEach(async () => {
    folder = await makeFolder()
  })
  afterEach(async () => {
    await gateway?.stop()
    gateway = undefined
    await folder.remove()
  })
  after(() => plane?.close())

  const start = async (client = plane.client) => {
    gateway = await startGateway(client, namespace, folder.path)
    return gateway
  }
  const complete = (run: WaitingRun) =>
    until('the run is complete', async () => {
      const seen = await readRun(plane.client, run)
      return condition(seen, 'Complete') === 'True' ? seen : undefined
    })
  /** What a gateway leaves that was killed between its commit and its status write. */
  async function leaveOwed(run: WaitingRun): Promise<void> {
    await withStore((store) =>
      store.accept({ ...aScan({ minute: 1, runUid: run.uid, namespace, findings: [{ id: 'a' }] }), runName: run.name }),
    )
  }
  async function withStore<T>(act: (store: FindingsStore) => Promise<T>): Promise<T> {
    const store = await openStore({ kind: 'sqlite', file: join(folder.path, 'findings.db') })
    try {
      return await act(store)
    } finally {
      await store.close()
    }
  }

  test('a result that was stored before a crash is told after it', async () => {
    const run = await createWaitingRun(plane.client, namespace, 'shop')
    await leaveOwed(run)

    await start()

    assert.equal((await complete(run)).status?.result?.findings?.total, 1)
  })

  test('a result whose run was deleted meanwhile is owed to nobody', async () => {
    const run = await createWaitingRun(plane.client, namespace, 'shop')
    await leaveOwed(run)
    await plane.client.delete(resources.scanRuns, namespace, run.name)

    await start()

    await until('nothing is owed', () =>
      withStore(async (store) => (await store.scan(run.uid, 1))?.publication === 'RunGone'),
    )
  })

  test('a run that was ended meanwhile is left as it was ended', async () => {
    const failed = { type: 'Failed', status: 'True', reason: 'Cancelled', message: 'Suspended.' }
    const conditions = [{ ...failed, lastTransitionTime: new Date().toISOString() }]
    const run = await createWaitingRun(plane.client, namespace, 'shop', { status: { conditions } })
    await leaveOwed(run)

    await start()

    await until('nothing is owed', () =>
      withStore(async (store) => (await store.scan(run.uid, 1))?.publication === 'RunEnded'),
    )
    assert.equal(condition(await readRun(plane.client, run), 'Complete'), undefined)
  })

  test('an upload in hand is finished when the gateway stops', async () => {
    const run = await createWaitingRun(plane.client, namespace, 'shop')
    const { gateway: running, ca } = await start()
    const body = gzipSync(JSON.stringify(anUpload([])))
    const socket = connect({ host: 'localhost', port: running.ports.https, ca })
    const answer = new Promise<string>((resolve) => socket.once('data', (chunk) => resolve(chunk.toString())))
    const head = `POST /api/v1/scans/${run.uid}/1/result HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${run.token}\r\n`
    socket.write(`${head}content-length: ${body.length}\r\n\r\n`)
    socket.write(body.subarray(0, 10))
    await until('the gateway serves others', async () => (await gateway?.send('GET', '/'))?.status === 200)

    const stopping = running.stop()
    socket.write(body.subarray(10))

    assert.match(await answer, /^HTTP\/1\.1 200 /)
    socket.end()
    await stopping
    assert.equal(condition(await readRun(plane.client, run), 'Complete'), 'True')
  })

  for (const { fault, name } of [
    { name: 'refuses writes', fault: { do: 'refuse', status: 503, reason: 'ServiceUnavailable' } },
    { name: 'loses the answers to writes', fault: { do: 'lose-answer' } },
    { name: 'cuts connections', fault: { do: 'cut' } },
  ] as const) {
    test(`a result is taken while the API server ${name}, and told once when it is well again`, async () => {
      const proxy = await startFaultProxy(await loadConnection({ kubeconfig: plane.cluster.kubeconfig }))
      const client = createKubeClient({ connection: proxy.connection, metrics: testMetrics() })
      try {
        const run = await createWaitingRun(plane.client, namespace, 'shop')
        const { upload } = await start(client)
        const isWrite = ({ method, path }: { method: string; path: string }) =>
          method === 'PATCH' && path.endsWith('/status')
        const heal = proxy.inject(fault, isWrite, Number.POSITIVE_INFINITY)

        const answer = await upload(run, anUpload([{ id: 'a' }]))
        await until('the write was tried', () => proxy.seen.some(isWrite))
        heal()

        assert.equal(answer.status, 200)
        assert.equal((await complete(run)).status?.result?.findings?.total, 1)
        await until('the outcome is known to be told', () =>
          withStore(async (store) => (await store.scan(run.uid, 1))?.publication === 'Written'),
        )
      } finally {
        await gateway?.stop()
        gateway = undefined
        await client.close()
        await proxy.stop()
      }
    })
  }
})
