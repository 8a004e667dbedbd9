/** Specification of a control plane without nodes: what tests of the API stand on. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type Cluster, listClusters, openCluster, startCluster, stopCluster } from './cluster.ts'
import { eventually, kubectl, listing, processesThatMention } from './support.ts'

describe('control plane', () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'scanfleet-clusters-'))
  let first: Cluster
  let second: Cluster

  before(async () => {
    first = await startCluster({ name: 'first', mode: 'control-plane', audit: true, stateDir })
    second = await startCluster({ name: 'second', mode: 'control-plane', stateDir })
  })
  after(async () => {
    for (const { name } of await listClusters(stateDir)) await stopCluster(name, stateDir)
    rmSync(stateDir, { recursive: true })
  })

  it('stands beside another one, and neither knows of the other', async () => {
    await kubectl(first, ['create', 'namespace', 'only-in-first'])

    const inFirst = await kubectl(first, ['get', 'namespaces', '--output=name'])
    const inSecond = await kubectl(second, ['get', 'namespaces', '--output=name'])

    assert.match(inFirst, /only-in-first/)
    assert.doesNotMatch(inSecond, /only-in-first/)
  })

  it('is returned as it is when it is started again', async () => {
    const before = readFileSync(join(stateDir, 'second', 'cluster.json'), 'utf8')

    const again = await startCluster({ name: 'second', mode: 'control-plane', stateDir })

    assert.equal(again.server, second.server)
    assert.equal(readFileSync(join(stateDir, 'second', 'cluster.json'), 'utf8'), before)
  })

  it('refuses to be started in another mode under the same name', async () => {
    const starting = startCluster({ name: 'second', mode: 'control-plane', audit: true, stateDir })

    await assert.rejects(starting, /already runs as control-plane without auditing: take it down first/)
  })

  it('vouches for the token of a service account, and for no other', async () => {
    const token = (await kubectl(second, ['create', 'token', 'default'])).trim()
    const review = async (value: string) => {
      const object = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token: value } }
      return JSON.parse(await kubectl(second, ['create', '--filename=-', '--output=json'], [object]))
    }

    const good = await review(token)
    const bad = await review(`${token}x`)

    assert.equal(good.status.user.username, 'system:serviceaccount:default:default')
    assert.notEqual(bad.status.authenticated, true)
  })

  it('lets a namespace go with everything in it', async () => {
    await kubectl(second, ['create', 'namespace', 'short-lived'])
    await kubectl(second, ['create', 'configmap', 'inside', '--namespace=short-lived'])

    await kubectl(second, ['delete', 'namespace', 'short-lived', '--timeout=120s'])

    assert.doesNotMatch(await kubectl(second, ['get', 'namespaces', '--output=name']), /short-lived/)
  })

  it('refuses a pod that the restricted standard forbids', async () => {
    await kubectl(second, ['create', 'namespace', 'strict'])
    await kubectl(second, ['label', 'namespace', 'strict', 'pod-security.kubernetes.io/enforce=restricted'])
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'root', namespace: 'strict' },
      spec: { containers: [{ name: 'c', image: 'x' }] },
    }

    await eventually(
      async () => await kubectl(second, ['get', 'serviceaccount', '--namespace=strict']),
      (text) => text.includes('default'),
    )

    await assert.rejects(kubectl(second, ['create', '--filename=-'], [pod]), /violates PodSecurity "restricted/)
  })

  it('writes one audit line per request when auditing is on', async () => {
    await kubectl(first, ['create', 'configmap', 'audited'])

    const events = readFileSync(first.auditLog ?? '', 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    const writes = events.filter((event) => event.objectRef?.name === 'audited' && event.verb === 'create')

    assert.deepEqual(
      writes.map((event) => [event.user.username, event.level, event.responseStatus.code]),
      [['admin', 'Metadata', 201]],
    )
    assert.equal(second.auditLog, undefined)
  })

  it('starts afresh after everything was killed, and then goes without a trace', async () => {
    await startCluster({ name: 'doomed', mode: 'control-plane', stateDir })
    const folder = join(stateDir, 'doomed')
    for (const pid of processesThatMention(folder)) process.kill(pid, 'SIGKILL')
    await eventually(
      () => openCluster('doomed', stateDir),
      (cluster) => cluster === undefined,
    )

    const again = await startCluster({ name: 'doomed', mode: 'control-plane', stateDir })
    assert.match(await kubectl(again, ['get', 'namespaces']), /default/)
    await again.stop()

    assert.deepEqual(processesThatMention(folder), [])
    assert.ok(!listing(stateDir).some((entry) => entry.startsWith('doomed')))
  })

  it('says which names are possible', async () => {
    await assert.rejects(
      startCluster({ name: '../x', mode: 'control-plane', stateDir }),
      /cannot be a cluster's name: use up to 32/,
    )
  })
})
