/** Specification of who may start: the cap through a storm and restarts, and the reasons for which nobody starts. */
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { resources } from '../../operator/kube/resources.ts'
import { attemptName } from '../../operator/scan/attempt.ts'
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
import { isOver, playEveryPod, playScan, readiness } from '../support/pods.ts'
import { until } from '../support/wait.ts'

const cap = 5
const storm = 60

describe('who may start', () => {
  let site: Site
  let folder: Awaited<ReturnType<typeof makeFolder>>
  let gateway: GatewayUnderTest
  let controller: ControllerUnderTest | undefined

  before(async () => {
    site = await openSite({ repositories: ['shop'] })
    folder = await makeFolder()
    gateway = await startGateway(site.client, site.namespaces.team, folder.path)
    await connect(site)
    await site.apply(
      scanAll({ schedule: { initial: false }, limits: { concurrent: cap }, history: { completed: 100 } }),
    )
  })
  afterEach(async () => {
    await controller?.stop()
    controller = undefined
  })
  after(async () => {
    await gateway?.stop()
    await folder?.remove()
    await site?.stop()
  })

  const runOf = async (name: string) => {
    const run = await site.client.get(resources.scanRuns, site.namespaces.team, name)
    assert.ok(run)
    return run
  }

  it(`keeps ${storm} runs to ${cap} Jobs at once, through two restarts`, async () => {
    controller = await startController(site)
    await Promise.all(Array.from({ length: storm }, (_, index) => site.apply(scanNow(`storm-${index}`, 'shop'))))
    const player = playEveryPod(site, gateway)
    let highest = 0
    let restarts = 0
    await until(
      'all have ended',
      async () => {
        highest = Math.max(highest, (await site.jobs()).length)
        const runs = await site.runs()
        if (restarts < 2 && runs.filter(isOver).length > (storm / 3) * (restarts + 1)) {
          restarts++
          await controller?.stop()
          controller = await startController(site)
        }
        return runs.length === storm && runs.every(isOver)
      },
      { withinMs: 180_000, everyMs: 10 },
    ).finally(() => player.stop())

    assert.equal(highest, cap)
    assert.equal(restarts, 2)
    assert.deepEqual(new Set((await site.runs()).map(readiness)), new Set(['True Succeeded']))
    await until('nothing is left', async () => (await site.leftovers()).length === 0)
  })

  it('refuses to take over an object of the name that is not ours, and leaves it alone', async () => {
    const { scans } = site.namespaces
    await site.apply(scanNow('taken', 'shop'))
    const name = attemptName((await runOf('taken')).metadata.uid, 1)
    const foreign = { apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData: { key: 'theirs' } }
    await site.client.create(resources.secrets, scans, foreign)

    controller = await startController(site)

    const run = await until('the run failed', async () => {
      const seen = await runOf('taken')
      return readiness(seen) === 'False NameTaken' && seen
    })
    assert.match(run.status?.conditions?.[0]?.message ?? '', new RegExp(name))
    await until('only theirs is there', async () => (await site.leftovers()).length === 1)
    assert.deepEqual(await site.leftovers(), [`secret/${name}`])
    await site.client.delete(resources.secrets, scans, name)
  })

  it('starts nothing in a namespace that does not isolate, and says what it lacks', async () => {
    const { scans } = site.namespaces
    const open = { spec: { egress: [{}] } }
    await site.client.patch(resources.networkPolicies, scans, 'default-deny', open, { type: 'merge' })
    await site.apply(scanNow('unsafe', 'shop'))

    controller = await startController(site)

    const run = await until('the run waits', async () => {
      const seen = await runOf('unsafe')
      return readiness(seen) === 'Unknown NamespaceNotIsolated' && seen
    })
    assert.match(run.status?.conditions?.[0]?.message ?? '', /default-deny/)
    assert.deepEqual(await site.jobs(), [])
    const closed = { spec: { egress: null } }
    await site.client.patch(resources.networkPolicies, scans, 'default-deny', closed, { type: 'merge' })
    await controller.stop()
    controller = await startController(site)
    await playScan(site, gateway, 'unsafe')
    await until('it is over', async () => isOver(await runOf('unsafe')))
  })

  it('never uses the connection, the ManagedScan or the repository of another namespace', async () => {
    const other = await site.plane.createNamespace('other')
    controller = await startController(site, { flags: { 'watch-namespaces': `${site.namespaces.team},${other}` } })
    // Everything of that name exists, next door.
    await site.apply(scanAll(), other)
    await site.apply(scanNow('thief', 'shop'), other)
    const seen = () => site.client.get(resources.scanRuns, other, 'thief')

    await until('the run fails', async () => readiness(await seen()) === 'False ConnectionNotFound')
    const scan = await site.client.get(resources.managedScans, other, 'all')
    assert.equal(readiness(scan), 'False ConnectionNotFound')
    assert.deepEqual(await site.jobs(), [])
  })
})
