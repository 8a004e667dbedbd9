/**
 * Specification of what happens to scans when parts of the product or of the cluster die under them: every scan ends in
 * one result, none in two, and nothing is left behind.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ScanRun } from '../../operator/api/kinds.ts'
import { labels } from '../../operator/api/names.ts'
import { resources } from '../../operator/kube/resources.ts'
import { attemptName } from '../../operator/scan/attempt.ts'
import { firstChild } from '../kubernetes/processes.ts'
import { clusterFolder, defaultStateDir, readRecord } from '../kubernetes/state.ts'
import { failures, type GitHubServer } from '../scm-servers/github/index.ts'
import { samplesFolder } from '../scm-servers/github/repositories.ts'
import { readAudit } from '../support/audit.ts'
import { gatewayDeployment, namespaces, openProduct, type Product } from '../support/product.ts'
import { until } from '../support/wait.ts'
import { createTeam, leftovers, outcome, type Team } from './team.ts'

/** A short lease, so that ten changes of the leader do not take minutes. */
const shortLease = { leaseDurationSeconds: 4, leaseRenewSeconds: 3, leaseRetrySeconds: 1 }
/** Starts nothing by itself. */
const byHand = { products: ['Secrets'], limits: { concurrent: 3 }, schedule: { initial: false } }
const names = Array.from({ length: 20 }, (_, index) => `service-${String(index + 1).padStart(2, '0')}`)

describe('scans in the middle of disasters', () => {
  let product: Product
  let host: GitHubServer
  let team: Team

  before(async () => {
    product = await openProduct()
    host = await product.startCodeHost({ samples: false })
    for (const name of names) await host.addRepository(name, { source: join(samplesFolder, 'payments-api') })
    await product.upgrade({ controller: { leaderElection: shortLease } })
    team = await createTeam(product, host, 'chaos')
    await team.discovered(names.length)
    await team.scan('by-hand', byHand)
  })
  after(async () => {
    await team?.remove()
    await host?.stop()
    await product?.upgrade()
    await product?.close()
  })

  async function kill(component: 'controller' | 'gateway'): Promise<void> {
    const query = { labelSelector: `${labels.component}=${component}` }
    const { items } = await product.client.list(resources.pods, namespaces.operator, query)
    for (const { metadata } of items)
      await product.client.delete(resources.pods, namespaces.operator, metadata.name, { gracePeriodSeconds: 0 })
  }

  const jobNames = async () =>
    (await product.client.list(resources.jobs, namespaces.scans)).items.map(({ metadata }) => metadata.uid)

  /** One start, one clone and one accepted result for each of these runs, and findings that were counted once. */
  async function assertEachEndedOnce(runs: readonly ScanRun[], since: number): Promise<void> {
    assert.deepEqual(new Set(runs.map(outcome)), new Set(['True Succeeded']))
    const requests = (await readAudit(product.cluster.auditLog ?? '', { since })).filter(({ code }) => code < 300)
    for (const run of runs) {
      const { name, namespace, uid } = run.metadata
      const by = (process: string) => `system:serviceaccount:${namespaces.operator}:scanfleet-${process}`
      const job = attemptName(uid, 1)
      const starts = requests.filter((one) => one.verb === 'patch' && one.resource === 'jobs' && one.name === job)
      assert.equal(starts.filter(({ user }) => user === by('controller')).length, 1, `${name} was started once`)
      const results = requests.filter(
        (one) => one.resource === 'scanruns' && one.name === name && one.namespace === namespace,
      )
      assert.equal(results.filter(({ user }) => user === by('gateway')).length, 1, `${name} got its result once`)
      const { total = 0, new: fresh = 0, known = 0, reopened = 0 } = run.status?.result?.findings ?? {}
      assert.ok(total > 0)
      assert.equal(fresh + known + reopened, total)
    }
    assert.deepEqual(await leftovers(product), [])
  }

  /** Tokens that cloned this repository: one for each clone. */
  const clonesOf = (repository: string) =>
    new Set(
      host.stats.calls
        .filter(({ path, status }) => path.startsWith(`/${repository}.git/`) && status === 200)
        .map(({ token }) => token),
    )

  test('the controller killed ten times during 20 scans: 20 results, no double, nothing left', async () => {
    const since = Date.now()
    await team.scan('everything', { products: ['Secrets'], limits: { concurrent: 2 } })
    const known = new Set<string>()
    for (let kills = 0; kills < 10; kills++) {
      // Each time in the middle of its work: it has just begun to start a scan that nobody knew of before.
      await until(
        'the controller starts another scan',
        async () => {
          const fresh = (await jobNames()).filter((uid) => !known.has(uid))
          for (const uid of fresh) known.add(uid)
          return fresh.length > 0
        },
        { everyMs: 20 },
      )
      await kill('controller')
    }
    const runs = await team.allOver(names.length)

    assert.equal(runs.length, names.length)
    await assertEachEndedOnce(runs, since)
    for (const { status } of runs) {
      assert.equal(status?.result?.findings?.new, status?.result?.findings?.total)
      assert.equal(clonesOf(status?.repository ?? '').size, 1, `${status?.repository} was cloned once`)
    }
    const used = host.stats.calls.flatMap(({ kind, token = '' }) => (kind === 'Git' && token !== '' ? [token] : []))
    assert.deepEqual(
      used.filter((token) => host.state.tokens.get(token)?.revoked === false),
      [],
    )
  })

  test('the gateway gone while a scan ends: the pod keeps its result until it can hand it in', async () => {
    const since = Date.now()
    const scale = (replicas: number) =>
      product.kubectl(['scale', 'deployment', gatewayDeployment, '-n', namespaces.operator, `--replicas=${replicas}`])
    await scale(0)
    try {
      await kill('gateway')
      const { metadata } = await team.run('without-gateway', 'by-hand', `acme/${names[0]}`)
      const pods = ['-n', namespaces.scans, '-l', `${labels.run}=${metadata.uid}`, '-c', 'scan', '--tail=-1']
      await until('the engines have ended', async () =>
        (await product.kubectl(['logs', ...pods])).includes('"findings"'),
      )
      assert.equal(outcome(await team.read('without-gateway')), 'Unknown Running')
    } finally {
      await scale(1)
    }
    await assertEachEndedOnce([await team.over('without-gateway')], since)
  })

  test('the API server gone for half a minute in the middle of three scans: each ends once', async () => {
    const since = Date.now()
    const wanted = names.slice(0, 3).map((name) => ({ run: `without-api-${name}`, repository: `acme/${name}` }))
    for (const { run, repository } of wanted) await team.run(run, 'by-hand', repository)
    await until('all three have a Job', async () => (await jobNames()).length === 3)
    const server = await apiServer()
    process.kill(server, 'SIGSTOP')
    try {
      await sleep(30_000)
    } finally {
      process.kill(server, 'SIGCONT')
    }
    const runs = []
    for (const { run } of wanted) runs.push(await team.over(run))
    await assertEachEndedOnce(runs, since)
  })

  async function apiServer(): Promise<number> {
    const { processes = [] } = readRecord(clusterFolder(defaultStateDir, product.cluster.name)) ?? {}
    const wrapper = processes.find(({ name }) => name === 'kube-apiserver')
    if (wrapper === undefined) throw new Error('the API server does not run on this machine')
    return (await firstChild('kube-apiserver', wrapper)).pid
  }

  test('its namespace deleted in the middle of a clone: the pod ends, the credential is revoked, nothing holds it', async () => {
    const other = await createTeam(product, host, 'doomed')
    const [name = ''] = names
    const known = clonesOf(`acme/${name}`)
    const fresh = () => [...clonesOf(`acme/${name}`)].filter((token) => !known.has(token))
    host.script({ method: 'POST', path: `^/acme/${name}\\.git/git-upload-pack`, times: 1000, does: failures.never() })
    await other.scan('one', { repositories: { include: [`acme/${name}`] } })
    await until('the clone has begun', () => fresh().length > 0)
    await other.remove()
    host.clearScript()
    await until('nothing is left', async () => (await leftovers(product)).length === 0)
    assert.deepEqual(
      fresh().map((token) => host.state.tokens.get(token ?? '')?.revoked),
      [true],
    )
  })
})
