/** Specification of the way of a scan through the cluster: from a repository that appears to evidence when all is gone. */
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { resources } from '../../operator/kube/resources.ts'
import {
  type ControllerUnderTest,
  connect,
  openSite,
  type Site,
  scanAll,
  scanNow,
  startController,
} from '../support/controller.ts'
import { type GatewayUnderTest, makeFolder, startGateway } from '../support/gateway.ts'
import { isOver, playScan, podOf, readiness, tellStatus } from '../support/pods.ts'
import { until } from '../support/wait.ts'

describe('the controller scans', () => {
  let site: Site
  let folder: Awaited<ReturnType<typeof makeFolder>>
  let gateway: GatewayUnderTest
  let controller: ControllerUnderTest | undefined

  before(async () => {
    site = await openSite({ repositories: ['shop', 'pay', 'web'] })
    folder = await makeFolder()
    gateway = await startGateway(site.client, site.namespaces.team, folder.path)
    await connect(site, {}, true)
    controller = await startController(site)
  })
  after(async () => {
    await controller?.stop()
    await gateway?.stop()
    await folder?.remove()
    await site?.stop()
  })

  const runOver = (name: string) =>
    until(`${name} is over`, async () => (await site.runs()).find((run) => run.metadata.name === name && isOver(run)))

  it('discovers the repositories and says so', async () => {
    const connection = await until('the connection is ready', async () => {
      const seen = await site.connection()
      return readiness(seen) === 'True Connected' && seen?.status?.repositories === 3 && seen
    })

    assert.match(connection.status?.conditions?.[0]?.message ?? '', /3 repositories/)
    const names = (await site.repositories()).map(({ spec }) => spec.fullName)
    assert.deepEqual(names.sort(), ['acme/pay', 'acme/shop', 'acme/web'])
  })

  it('scans each repository once when it is first seen', async () => {
    await site.apply(scanAll({ limits: { concurrent: 2 } }))
    const runs = await until('there are three runs', async () => {
      const seen = await site.runs()
      return seen.length === 3 && seen
    })
    assert.deepEqual(new Set(runs.map(({ spec }) => spec.reason)), new Set(['Initial']))
    const waiting = new Map(runs.map((run) => [run.metadata.name, run]))
    while (waiting.size > 0) {
      const jobs = await site.jobs()
      assert.ok(jobs.length <= 2, `${jobs.length} Jobs at once`)
      const started = (await site.runs()).find(
        ({ metadata, status }) => waiting.has(metadata.name) && status?.startTime,
      )
      if (!started) continue
      waiting.delete(started.metadata.name)
      await playScan(site, gateway, started.metadata.name, [{ id: started.metadata.name }])
      const over = await runOver(started.metadata.name)
      const { evidence, result, commit } = over.status ?? {}
      assert.equal(readiness(over), 'True Succeeded')
      assert.equal(result?.findings?.total, 1)
      assert.match(commit ?? '', /^[0-9a-f]{40}$/)
      for (const time of ['credentialRemovedTime', 'credentialRevokedTime', 'podDeletedTime'] as const)
        assert.ok(evidence?.[time], time)
    }

    const scan = await until('all three are told', async () => {
      const seen = await site.managedScan()
      return readiness(seen) === 'True Ready' && seen
    })
    assert.deepEqual(scan.status?.repositories, { selected: 3, scanned: 3, running: 0, waiting: 0, failed: 0 })
    assert.equal(scan.status?.findings?.total, 3)
    assert.equal(
      (await site.repositories()).every(({ status }) => status?.lastScan?.verdict === 'Findings'),
      true,
    )
    assert.deepEqual(await site.leftovers(), [])
    assert.equal(site.host.stats.liveTokens('Installation'), 1, 'only the own token of the operator lives')
  })
})
void [afterEach, podOf, tellStatus, scanNow, resources]
