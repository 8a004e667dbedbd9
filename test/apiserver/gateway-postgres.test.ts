import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import {
  condition,
  createRepository,
  createWaitingRun,
  type GatewayUnderTest,
  makeFolder,
  readRun,
  startGateway,
} from '../support/gateway.ts'
import { type ControlPlane, openControlPlane } from '../support/kubernetes.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { anUpload } from '../support/results.ts'
import { until } from '../support/wait.ts'

describe('two gateways over one PostgreSQL', () => {
  let plane: ControlPlane
  let server: Postgres
  let namespace: string
  const folders: Awaited<ReturnType<typeof makeFolder>>[] = []
  const gateways: GatewayUnderTest[] = []

  before(async () => {
    plane = await openControlPlane()
    namespace = await plane.createNamespace('postgres')
    await createRepository(plane.client, namespace, 'shop')
    server = await startPostgres()
    const url = await server.createDatabase()
    for (let replica = 0; replica < 2; replica += 1) {
      const folder = await makeFolder()
      folders.push(folder)
      await writeFile(join(folder.path, 'postgres-url'), `${url}\n`)
      gateways.push(
        await startGateway(
          plane.client,
          namespace,
          folder.path,
          {},
          { 'postgres-url-file': join(folder.path, 'postgres-url') },
        ),
      )
    }
  })
  after(async () => {
    for (const gateway of gateways) await gateway.stop()
    for (const folder of folders) await folder.remove()
    await server?.stop()
    await plane?.close()
  })

  test('the same upload to both at once is one result', async () => {
    const run = await createWaitingRun(plane.client, namespace, 'shop')
    const answers = await Promise.all(gateways.map((gateway) => gateway.upload(run, anUpload([{ id: 'a' }]))))
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200],
    )
    const ended = await until('the run is complete', async () => {
      const seen = await readRun(plane.client, run)
      return condition(seen, 'Complete') === 'True' ? seen : undefined
    })
    assert.equal(ended.status?.result?.findings?.new, 1)
  })

  test('a result that comes while the database restarts is asked for again, and then taken', async () => {
    const run = await createWaitingRun(plane.client, namespace, 'shop')
    const crashing = server.crash()
    const statuses = new Set<number>()
    await until('the result is taken', async () => {
      const answer = await gateways[0]?.upload(run, anUpload([{ id: 'a' }]))
      statuses.add(answer?.status ?? 0)
      return answer?.status === 200
    })
    await crashing
    assert.ok(
      [...statuses].every((status) => status === 200 || status === 503),
      [...statuses].join(),
    )
    await until('the run is complete', async () => condition(await readRun(plane.client, run), 'Complete') === 'True')
  })
})
