/**
 * Specification of the controller under faults: killed after any single write, left without an answer, paused while another
 * leads, cut off from the API server. Whatever happens, one Job is started for each run, and nothing is left behind.
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { loadConnection } from '../../operator/kube/connection.ts'
import { resources } from '../../operator/kube/resources.ts'
import {
  type ControllerProcess,
  type ControllerUnderTest,
  connect,
  openSite,
  type Site,
  scanAll,
  scanNow,
  spawnController,
  startController,
} from '../support/controller.ts'
import { type FaultProxy, type SeenRequest, startFaultProxy } from '../support/fault-proxy.ts'
import { type GatewayUnderTest, makeFolder, startGateway } from '../support/gateway.ts'
import { isOver, type Player, playEveryPod, podOf, readiness } from '../support/pods.ts'
import { until } from '../support/wait.ts'

/** Same name, so that the next process has the Lease at once, as a restarted container has. */
const processFlags = { 'lease-duration-seconds': '4', 'lease-renew-seconds': '3', 'lease-retry-seconds': '1' }

describe('the controller under faults', () => {
  let site: Site
  let folder: Awaited<ReturnType<typeof makeFolder>>
  let gateway: GatewayUnderTest
  let proxy: FaultProxy
  let player: Player
  const processes: ControllerProcess[] = []
  let controller: ControllerUnderTest | undefined

  before(async () => {
    site = await openSite({ repositories: ['shop'] })
    folder = await makeFolder()
    gateway = await startGateway(site.client, site.namespaces.team, folder.path)
    await connect(site, {}, true)
    await site.apply(scanAll({ schedule: { initial: false }, history: { completed: 100, failed: 100 } }))
  })
  after(async () => {
    await gateway?.stop()
    await folder?.remove()
    await site?.stop()
  })
  beforeEach(async () => {
    player = playEveryPod(site, gateway)
    proxy = await startFaultProxy(await loadConnection({ kubeconfig: site.plane.cluster.kubeconfig }))
  })
  afterEach(async () => {
    await player.stop()
    proxy.thaw()
    await controller?.stop()
    controller = undefined
    for (const process of processes.splice(0)) await process.kill()
    await proxy.stop()
  })

  async function spawn(flags: Readonly<Record<string, string>> = {}): Promise<ControllerProcess> {
    const made = await spawnController(site, { server: proxy.connection.server, flags: { ...processFlags, ...flags } })
    processes.push(made)
    return made
  }

  const over = (name: string, withinMs = 60_000) =>
    until(
      `${name} is over`,
      async () => {
        const run = await site.client.get(resources.scanRuns, site.namespaces.team, name)
        return run && isOver(run) && run
      },
      { withinMs },
    )
  /** A watch that died unnoticed is found by its silence, after 80 seconds. */
  const silenceMs = 180_000
  const nothingLeft = () => until('nothing is left', async () => (await site.leftovers()).length === 0)

  it('killed after each single write of a scan, it finishes the scan with one result', async (t) => {
    let process = await spawn()
    await until('the connection is ready', async () => readiness(await site.connection()) === 'True Connected')
    let reached = true
    for (let k = 1; reached; k++) {
      const name = `killed-${k}`
      let writes = 0
      const isLast = (request: SeenRequest) => isWriteOfScan(request) && ++writes === k
      const uncounted = proxy.inject({ do: 'lose-answer' }, isLast)
      // Once the last write has happened, the process does nothing more that anybody could see.
      const unheard = proxy.inject({ do: 'cut' }, () => writes >= k, Number.POSITIVE_INFINITY)
      await site.apply(scanNow(name, 'shop'))
      await until('the write was met, or the scan is over without it', async () => {
        const run = await site.client.get(resources.scanRuns, site.namespaces.team, name)
        return writes >= k || (run && isOver(run))
      })
      reached = writes >= k
      uncounted()
      if (reached) await process.kill()
      unheard()
      if (reached) process = await spawn()

      const run = await over(name)

      assert.equal(readiness(run), 'True Succeeded', `killed after write ${k}`)
      await nothingLeft()
      if (!reached) t.diagnostic(`a scan that a person asked for is ${k - 1} writes of the controller`)
    }
    const runs = await site.runs()
    assert.ok(runs.length > 8, 'every write was met')
    const leaked = clonesAlive()
    t.diagnostic(`${leaked} tokens were minted and not yet written down when their process was killed`)
    assert.ok(leaked <= 3, 'only between minting and writing down can a kill hide a token, which then ends by itself')
  })

  it('left without an answer to each single write of a scan, it starts one Job', async () => {
    controller = await startController(site, { through: proxy.connection })
    await until('the connection is ready', async () => readiness(await site.connection()) === 'True Connected')
    const before = clonesAlive()
    for (let k = 1; k <= 9; k++) {
      const name = `unanswered-${k}`
      let writes = 0
      const done = proxy.inject({ do: 'lose-answer' }, (request) => isWriteOfScan(request) && ++writes === k)
      await site.apply(scanNow(name, 'shop'))

      const run = await over(name)

      done()
      assert.equal(readiness(run), 'True Succeeded', `without the answer to write ${k}`)
      await nothingLeft()
    }
    assert.equal(clonesAlive(), before, 'every token was revoked')
  })

  it('an answer that is lost at the commit point lets the Job run that was started', async () => {
    controller = await startController(site, { through: proxy.connection })
    const isUnsuspend = ({ method, path }: SeenRequest) => method === 'PATCH' && path.includes('/jobs/')
    proxy.inject({ do: 'lose-answer' }, isUnsuspend)
    await site.apply(scanNow('committed', 'shop'))

    assert.equal(readiness(await over('committed')), 'True Succeeded')
    assert.equal(proxy.seen.filter(isUnsuspend).length, 1)
    assert.equal(proxy.seen.filter(({ method, path }) => method === 'POST' && path.endsWith('/jobs')).length, 1)
  })

  it('paused for longer than the Lease lasts, it does no harm when it wakes', async () => {
    await player.stop()
    const paused = await spawn({ 'pod-name': 'first' })
    await site.apply(scanNow('handed-over', 'shop'))
    const pod = await podOf(site, 'handed-over')
    paused.signal('SIGSTOP')
    const next = await spawn({ 'pod-name': 'second' })
    await site.apply(scanNow('by-the-next', 'shop'))
    await podOf(site, 'by-the-next')
    paused.signal('SIGCONT')
    player = playEveryPod(site, gateway)

    await until('the first has seen that it leads no more', () => paused.child.exitCode !== null)
    assert.equal(paused.child.exitCode, 1)

    for (const name of ['handed-over', 'by-the-next'])
      assert.equal(readiness(await over(name)), 'True Succeeded', next.output.at(-1))
    assert.equal((await site.client.get(resources.jobs, site.namespaces.scans, pod.jobName)) === undefined, true)
    await nothingLeft()
  })

  it('cut off from the API server while a scan ends, it goes on where it was', async () => {
    await player.stop()
    controller = await startController(site, { through: proxy.connection })
    await site.apply(scanNow('cut-off', 'shop'))
    await podOf(site, 'cut-off')
    proxy.freeze()
    proxy.cutAll()
    player = playEveryPod(site, gateway)
    await site.apply(scanNow('while-away', 'shop'))
    await sleep(20_000)
    proxy.cutAll()
    proxy.thaw()

    assert.equal(readiness(await over('cut-off', silenceMs)), 'True Succeeded')
    if (controller.lost > 0) {
      // It has lost the Lease, as it must after ten seconds; the process ends and its successor goes on.
      await controller.stop()
      controller = await startController(site, { through: proxy.connection })
    }
    assert.equal(readiness(await over('while-away', silenceMs)), 'True Succeeded')
    await nothingLeft()
  })

  /** Tokens that were minted for one repository and still live. */
  function clonesAlive(): number {
    const tokens = [...site.host.state.tokens.values()]
    return tokens.filter(({ repositoryIds, revoked }) => repositoryIds !== undefined && !revoked).length
  }
})

/** Anything that changes what belongs to a scan; not Leases, events, certificates or the status of other kinds. */
function isWriteOfScan({ method, path }: SeenRequest): boolean {
  return method !== 'GET' && /\/(jobs|networkpolicies|secrets|scanruns|scmrepositories)\b/.test(path)
}
