/** Specification of leader election: one leader, a quick successor, and no trust in anybody's clock. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { createKubeClient, type KubeClient } from '../../operator/kube/client.ts'
import { microTimestamp } from '../../operator/kube/conditions.ts'
import { loadConnection } from '../../operator/kube/connection.ts'
import { createLeaderElection, type LeaderElection } from '../../operator/kube/leader.ts'
import { resources } from '../../operator/kube/resources.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { type ControlPlane, openControlPlane, testLog, testMetrics } from '../support/kubernetes.ts'
import { until } from '../support/wait.ts'

interface Candidate {
  readonly election: LeaderElection
  readonly proxy: FaultProxy
  readonly client: KubeClient
  started: number
  lost: number
}

describe('leader election', () => {
  let kube: ControlPlane
  let namespace: string
  let candidates: Candidate[]

  before(async () => {
    kube = await openControlPlane()
  })
  after(() => kube.close())
  beforeEach(async () => {
    namespace = await kube.createNamespace('leader')
    candidates = []
  })
  afterEach(async () => {
    for (const { election, client, proxy } of candidates) {
      proxy.thaw()
      await election.stop()
      await client.close()
      await proxy.stop()
    }
  })

  /** Each candidate has its own way to the API server, which a test can break. */
  async function candidate(identity: string, leaseDurationMs = 3000): Promise<Candidate> {
    const proxy = await startFaultProxy(await loadConnection({ kubeconfig: kube.cluster.kubeconfig }))
    const metrics = testMetrics()
    const client = createKubeClient({ connection: proxy.connection, metrics })
    const election = createLeaderElection({
      client,
      namespace,
      name: 'scanfleet-controller',
      identity,
      leaseDurationMs,
      renewDeadlineMs: leaseDurationMs * 0.6,
      retryMs: leaseDurationMs * 0.1,
      onStarted: () => void made.started++,
      onLost: () => void made.lost++,
      log: testLog().log,
      metrics,
    })
    const made: Candidate = { election, proxy, client, started: 0, lost: 0 }
    candidates.push(made)
    return made
  }

  async function holder(): Promise<string | undefined> {
    return (await kube.client.get(resources.leases, namespace, 'scanfleet-controller'))?.spec?.holderIdentity
  }

  it('gives the lease to one of two', async () => {
    const [one, two] = [await candidate('one'), await candidate('two')]
    one.election.start()
    two.election.start()
    const leader = await until('somebody leads', () => candidates.find(({ election }) => election.isLeader))
    const renewals = () => leader.proxy.seen.filter(({ method }) => method === 'PATCH').length
    await until('the lease was renewed several times', () => renewals() > 5)

    assert.equal(one.started + two.started, 1)
    assert.equal([one, two].filter(({ election }) => election.isLeader).length, 1)
    const lease = await kube.client.get(resources.leases, namespace, 'scanfleet-controller')
    assert.match(lease?.spec?.renewTime ?? '', /\.\d{6}Z$/)
    assert.equal(lease?.spec?.leaseTransitions, 0)
  })

  it('passes it on at once when the leader stops in order', async () => {
    const [one, two] = [await candidate('one', 60_000), await candidate('two', 60_000)]
    one.election.start()
    await until('one leads', () => one.election.isLeader)
    two.election.start()
    await until('two has looked', () => two.proxy.seen.length > 0)

    await one.election.stop()

    assert.equal(await holder(), '')
    assert.equal(one.lost, 0)
    await until('two leads, long before the lease would have expired', () => two.election.isLeader, {
      withinMs: 40_000,
    })
  })

  it('passes it on when the leader has died, and only after the whole duration', async () => {
    const [one, two] = [await candidate('one'), await candidate('two')]
    one.election.start()
    await until('one leads', () => one.election.isLeader)
    two.election.start()
    await until('two has looked', () => two.proxy.seen.length > 0)
    one.proxy.freeze()
    const silence = performance.now()

    await until('two leads', () => two.election.isLeader)

    // The last renewal may have come up to one retry before the silence.
    assert.ok(performance.now() - silence > 3000 - 600)
    assert.equal(one.election.isLeader, false)
    await until('one knows', () => one.lost === 1)
    assert.equal(await holder(), 'two')
  })

  it('a leader that was paused as a process does not take itself for the leader when it wakes up', async () => {
    const script = join(import.meta.dirname, 'leader-process.ts')
    const sleeper = spawn(process.execPath, [script, kube.cluster.kubeconfig, namespace, 'sleeper'])
    const words: string[] = []
    createInterface({ input: sleeper.stdout }).on('line', (word) => words.push(word))
    const ended = once(sleeper, 'exit')
    try {
      await until('the sleeper leads', () => words.includes('leads'))
      const two = await candidate('two')
      sleeper.kill('SIGSTOP')
      two.election.start()
      await until('two leads', () => two.election.isLeader)
      sleeper.stdin.write('do you lead?\n')
      sleeper.kill('SIGCONT')
      await until('the sleeper knows', () => words.includes('lost') && (words.includes('yes') || words.includes('no')))

      assert.deepEqual(words.toSorted(), ['leads', 'lost', 'no'])
      assert.equal(two.lost, 0)
      assert.equal(await holder(), 'two')
    } finally {
      sleeper.kill('SIGCONT')
      sleeper.stdin.end()
      await ended
    }
  })

  it('does not end a leader whose lease was written by a clock of long ago', async () => {
    await kube.client.create(resources.leases, namespace, {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'scanfleet-controller' },
      spec: {
        holderIdentity: 'other',
        leaseDurationSeconds: 3,
        renewTime: microTimestamp(new Date(0)),
        acquireTime: microTimestamp(new Date(0)),
      },
    })
    const one = await candidate('one')
    const begin = performance.now()
    one.election.start()

    await until('one leads in the end', () => one.election.isLeader)

    assert.ok(performance.now() - begin >= 3000)
    const lease = await kube.client.get(resources.leases, namespace, 'scanfleet-controller')
    assert.equal(lease?.spec?.leaseTransitions, 1)
  })

  it('is lost to whoever took the lease by hand', async () => {
    const one = await candidate('one')
    one.election.start()
    await until('one leads', () => one.election.isLeader)
    const spec = { holderIdentity: 'usurper', leaseDurationSeconds: 60 }
    await kube.client.patch(resources.leases, namespace, 'scanfleet-controller', { spec }, { type: 'merge' })

    await until('one knows', () => one.lost === 1)

    assert.equal(one.election.isLeader, false)
    assert.equal(await holder(), 'usurper')
  })

  it('survives an API server that fails for less than the deadline, and an annotation by a person', async () => {
    const one = await candidate('one')
    one.election.start()
    await until('one leads', () => one.election.isLeader)
    const isWrite = ({ method }: { method: string }) => method === 'PATCH'
    one.proxy.inject({ do: 'refuse', status: 500, reason: 'InternalError' }, isWrite, 2)
    const patch = { metadata: { annotations: { note: 'by a person' } } }
    await kube.client.patch(resources.leases, namespace, 'scanfleet-controller', patch, { type: 'merge' })
    const before = one.proxy.seen.length

    await until('it was renewed several times', () => one.proxy.seen.length > before + 8)

    assert.equal(one.lost, 0)
    assert.equal(one.election.isLeader, true)
  })

  it('refuses times with which two could lead at once', () => {
    const times = { leaseDurationMs: 10, renewDeadlineMs: 10, retryMs: 1 }
    const { log } = testLog()
    const metrics = testMetrics()
    const common = {
      client: kube.client,
      namespace,
      name: 'x',
      identity: 'x',
      onStarted: () => {},
      onLost: () => {},
      log,
      metrics,
    }

    assert.throws(() => createLeaderElection({ ...common, ...times }), /must be longer than the renew deadline/)
  })
})
