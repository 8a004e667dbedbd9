/** Specification of the way of a scan through the cluster: from a repository that appears to evidence when all is gone. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { annotations } from '../../operator/api/names.ts'
import {
  type ControllerUnderTest,
  connect,
  openSite,
  type Site,
  scanAll,
  startController,
} from '../support/controller.ts'
import { type GatewayUnderTest, makeFolder, startGateway } from '../support/gateway.ts'
import { isOver, playScan, podOf, readiness } from '../support/pods.ts'
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

  /** Plays the pods of all runs that start, until every run is over; never more than `cap` Jobs may be seen. */
  async function playAll(count: number, cap: number): Promise<void> {
    const played = new Set<string>()
    await until(`${count} runs are over`, async () => {
      const runs = await site.runs()
      assert.ok((await site.jobs()).length <= cap)
      for (const run of runs) {
        const { metadata, status } = run
        if (status?.startTime === undefined || isOver(run) || played.has(metadata.name)) continue
        played.add(metadata.name)
        await playScan(site, gateway, metadata.name, [{ id: metadata.name }])
      }
      return runs.length === count && runs.every(isOver)
    })
  }

  it('discovers the repositories and says so', async () => {
    const connection = await until('the connection is ready', async () => {
      const seen = await site.connection()
      return readiness(seen) === 'True Connected' && seen?.status?.repositories === 3 && seen
    })

    assert.match(connection.status?.conditions?.[0]?.message ?? '', /3 repositories/)
    const names = (await site.repositories()).map(({ spec }) => spec.fullName)
    assert.deepEqual(names.sort(), ['acme/pay', 'acme/shop', 'acme/web'])
  })

  it('scans each repository once when it is first seen, and never more at once than the cap', async () => {
    await site.apply(scanAll({ limits: { concurrent: 2 } }))

    await playAll(3, 2)

    for (const { spec, status } of await site.runs()) {
      assert.equal(spec.reason, 'Initial')
      assert.equal(status?.result?.findings?.total, 1)
      assert.match(status?.commit ?? '', /^[0-9a-f]{40}$/)
    }
    assert.deepEqual(await site.leftovers(), [])
  })

  it('records when the credential and the pod were gone', async () => {
    for (const { status } of await site.runs()) {
      const { credentialRemovedTime, credentialRevokedTime, podDeletedTime } = status?.evidence ?? {}
      assert.ok(credentialRemovedTime && credentialRevokedTime && podDeletedTime)
      assert.ok(credentialRevokedTime <= podDeletedTime)
    }
    assert.equal(site.host.stats.liveTokens('Installation'), 1, "only the operator's own token lives")
  })

  it('tells the results in the status of repositories and of the ManagedScan', async () => {
    const scan = await until('all three are told', async () => {
      const seen = await site.managedScan()
      return readiness(seen) === 'True Ready' && seen
    })

    assert.deepEqual(scan.status?.repositories, { selected: 3, scanned: 3, running: 0, waiting: 0, failed: 0 })
    assert.deepEqual([scan.status?.findings?.total, scan.status?.verdict], [3, 'Findings'])
    for (const { status } of await site.repositories()) assert.equal(status?.lastScan?.verdict, 'Findings')
  })

  it('scans again when somebody asks by annotation, and says that it did', async () => {
    const annotated = { ...scanAll({ limits: { concurrent: 3 } }) }
    const metadata = { ...annotated.metadata, annotations: { [annotations.requestedAt]: 'now-1' } }
    await site.apply({ ...annotated, metadata })

    await playAll(6, 3)

    const requested = (await site.runs()).filter(({ spec }) => spec.reason === 'Requested')
    assert.equal(requested.length, 3)
    await until('it is acknowledged', async () => (await site.managedScan())?.status?.lastHandledRequest === 'now-1')
  })

  it('gives the pod its token, and the pod alone', async () => {
    await site.apply({
      apiVersion: 'scanfleet.dev/v1alpha1',
      kind: 'ScanRun',
      metadata: { name: 'by-hand' },
      spec: { managedScanRef: { name: 'all' }, repository: { fullName: 'acme/shop' } },
    })
    const { token, uploadToken } = await podOf(site, 'by-hand')
    assert.ok(token.length > 20 && uploadToken.length > 20)

    const shown = JSON.stringify([
      await site.runs(),
      await site.jobs(),
      await site.pods(),
      await site.repositories(),
      controller?.lines,
    ])

    assert.equal(shown.includes(token), false)
    assert.equal(shown.includes(uploadToken), false)
    await playScan(site, gateway, 'by-hand')
    await until('it is over', async () => (await site.runs()).every(isOver))
  })
})
