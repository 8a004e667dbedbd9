/**
 * Specification of what happens when something is taken away in the middle of a scan: one visible end, nothing left in the
 * cluster, and no token alive at the code host.
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { annotations } from '../../operator/api/names.ts'
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
import { isOver, podOf, readiness, type ScanPod, tellStatus } from '../support/pods.ts'
import { until } from '../support/wait.ts'

describe('when something is deleted while a scan runs', () => {
  let site: Site
  let controller: ControllerUnderTest | undefined
  let scan: ScanPod

  before(async () => {
    site = await openSite({ repositories: ['shop'] })
  })
  after(() => site?.stop())

  beforeEach(async () => {
    await connect(site, {}, true)
    await site.apply(scanAll({ schedule: { initial: false } }))
    controller = await startController(site)
    await until('acme/shop is discovered', async () => (await site.repositories()).length === 1)
    await site.apply(scanNow('now', 'shop'))
    scan = await podOf(site, 'now')
    await tellStatus(site, scan, {})
    await until('it runs', async () => (await readRun())?.status?.startTime)
  })
  afterEach(async () => {
    await controller?.stop()
    for (const [resource, name] of [
      [resources.scanRuns, 'now'],
      [resources.managedScans, 'all'],
      [resources.scmConnections, 'acme'],
    ] as const)
      await site.remove(resource, name)
  })

  const readRun = () => site.client.get(resources.scanRuns, site.namespaces.team, 'now')
  const nothingLeft = async () => {
    await until('nothing is left in the scan namespace', async () => (await site.leftovers()).length === 0)
    await until('the token of the scan is revoked', () => site.host.state.tokens.get(scan.token)?.revoked)
  }
  const endsAs = async (reason: string) => {
    const run = await until('the run is over', async () => {
      const seen = await readRun()
      return seen && isOver(seen) && seen
    })
    assert.equal(readiness(run), `False ${reason}`)
    return run
  }

  it('the Job: the run fails as JobLost', async () => {
    await site.client.delete(resources.jobs, site.namespaces.scans, scan.jobName)

    const run = await endsAs('JobLost')

    assert.ok(run.status?.commit, 'what was scanned is still told')
    await nothingLeft()
  })

  it('the pod: the run fails as JobLost', async () => {
    await site.client.delete(resources.pods, site.namespaces.scans, scan.pod.metadata.name)
    // The kubelet tells both programs to end, and they say so; that is not why the scan failed.
    await tellStatus(site, scan, { clone: 'CloneFailed', scan: 'InternalError', phase: 'Failed' })

    await endsAs('JobLost')
    await nothingLeft()
  })

  it('the Secret of the scan: nothing changes for a pod that has read it', async () => {
    await site.client.delete(resources.secrets, site.namespaces.scans, scan.jobName)

    await tellStatus(site, scan, { clone: 'Completed', scan: 'EngineFailed', phase: 'Failed' })

    await endsAs('EngineFailed')
    await nothingLeft()
  })

  it('the connection: the run is cancelled, and its token revoked by the client that minted it', async () => {
    await site.remove(resources.scmConnections, 'acme')

    const run = await endsAs('Cancelled')

    assert.match(run.status?.conditions?.[0]?.message ?? '', /ScmConnection was deleted/)
    await nothingLeft()
  })

  it('the ManagedScan: the run that a person made is cancelled', async () => {
    await site.remove(resources.managedScans, 'all')

    await endsAs('Cancelled')
    await nothingLeft()
  })

  it('the ScanRun: its Job goes', async () => {
    await site.remove(resources.scanRuns, 'now')

    await nothingLeft()
  })

  it('the ScanRun, in the foreground: its Job goes', async () => {
    const { team } = site.namespaces
    await site.client.delete(resources.scanRuns, team, 'now', { propagationPolicy: 'Foreground' })

    await nothingLeft()
    await until('the run is gone', async () => (await readRun()) === undefined)
  })

  it('the Secret of the connection: the scan goes on, and no new one starts', async () => {
    await site.remove(resources.secrets, 'acme-app')
    await until('the connection says so', async () => readiness(await site.connection()) === 'False SecretNotFound')
    await site.apply(scanNow('later', 'shop'))
    const later = () => site.client.get(resources.scanRuns, site.namespaces.team, 'later')
    await until('the new run says why it waits', async () => readiness(await later()) === 'Unknown ConnectionNotReady')

    assert.equal((await site.jobs()).length, 1)
    assert.equal(readiness(await readRun()), 'Unknown Running')

    await connect(site, {}, true)
    await podOf(site, 'later')
    await site.remove(resources.scanRuns, 'later')
    await site.remove(resources.scanRuns, 'now')
    await nothingLeft()
  })

  it('the controller, and the Job with it: the next one finds out', async () => {
    await controller?.stop()
    await site.client.delete(resources.jobs, site.namespaces.scans, scan.jobName)
    controller = await startController(site)

    await endsAs('JobLost')
    await until('nothing is left in the scan namespace', async () => (await site.leftovers()).length === 0)
  })

  it('the controller, and the ScanRun with it: the next one revokes what the Secret still tells', async () => {
    await controller?.stop()
    await site.remove(resources.scanRuns, 'now')
    controller = await startController(site)

    await nothingLeft()
  })

  it('a Job that only looks like ours is left alone', async () => {
    const { scans, team } = site.namespaces
    const [ours] = await site.jobs()
    assert.ok(ours)
    const template = { metadata: {}, spec: { restartPolicy: 'Never', ...restricted } }
    await site.client.create(resources.jobs, scans, {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: {
        name: 'foreign',
        labels: ours.metadata.labels,
        annotations: { [annotations.run]: `${team}/now` },
      },
      spec: { suspend: true, template },
    })
    await site.remove(resources.scanRuns, 'now')

    await until('ours is gone', async () => (await site.jobs()).length === 1)
    await until('its Secret too', async () => (await site.leftovers()).length === 1)

    assert.deepEqual(await site.leftovers(), ['job/foreign'])
    await site.client.delete(resources.jobs, scans, 'foreign')
  })
})

const restricted = {
  securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
  containers: [
    {
      name: 'x',
      image: 'x',
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
    },
  ],
}
