/** Specification of the caches on a bad day: whatever happens on the way to the API server, they become right again by themselves. */
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import type { ScmRepository } from '../../operator/api/kinds.ts'
import { createInformer } from '../../operator/kube/informer.ts'
import { resources } from '../../operator/kube/resources.ts'
import type { SeenRequest } from '../support/fault-proxy.ts'
import { type ControlPlane, openControlPlane } from '../support/kubernetes.ts'
import { scmRepository } from '../support/manifests.ts'
import { until } from '../support/wait.ts'
import { type CacheBench, isList, isWatch, openCacheBench } from './cache-bench.ts'

describe('a cache in trouble', () => {
  let kube: ControlPlane
  let bench: CacheBench

  before(async () => {
    kube = await openControlPlane()
  })
  after(() => kube.close())

  beforeEach(async () => {
    bench = await openCacheBench(kube)
  })
  afterEach(() => bench.close())

  it('goes on where it was after its connection is cut, without listing again', async () => {
    const cache = await bench.synced()
    await until('the watch is open', () => bench.watches() === 1)
    bench.proxy.cutAll()
    await bench.put('after-the-cut', '1')

    await until('the change is seen', () => bench.value(cache, 'after-the-cut') === '1')

    assert.equal(bench.lists(), 1)
  })

  it('lists again when its place in history is gone, each time only after a wait', async () => {
    bench.proxy.inject({ do: 'refuse', status: 410, reason: 'Expired' }, isWatch, 3)
    const cache = await bench.synced()
    await until('a watch is open', () => bench.watches() === 4)
    await bench.put('afterwards', '1')

    await until('the watch brings it', () => bench.value(cache, 'afterwards') === '1')

    const order = bench.proxy.seen.map((request) => (request.isWatch ? 'watch' : 'list')).join(' ')
    assert.equal(order, 'list watch list watch list watch list watch')
    assert.equal(bench.log.lines.filter(({ retryMs }) => retryMs !== undefined).length, 3)
    const expired = (await bench.metrics.relists.get()).values.find(({ labels }) => labels.cause === 'expired')
    assert.equal(expired?.value, 3)
  })

  it('begins a list anew when its next page is no longer to be had', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) await bench.put(name, '1')
    const isLastPage = (request: SeenRequest) => request.query.has('continue')
    bench.proxy.inject({ do: 'refuse', status: 410, reason: 'Expired' }, isLastPage, 1)

    const cache = await bench.synced({ pageSize: 3 })

    assert.equal(cache.store.size, 5)
    assert.equal(bench.lists(), 4)
    assert.deepEqual(
      bench.changes.map(([, current]) => current),
      ['1', '1', '1', '1', '1'],
    )
  })

  it('understands how the real server says that history is gone', async () => {
    // The server's own cache of a kind of ours begins when the kind is installed, so it never reaches back to version 1.
    bench.proxy.inject({ do: 'rewrite', query: { resourceVersion: '1' } }, isWatch, 1)
    const { client, metrics, namespace } = bench
    const cache = createInformer<ScmRepository>({
      client,
      resource: resources.scmRepositories,
      namespaces: [namespace],
      project: (raw) => raw,
      onChange: () => undefined,
      log: bench.log.log,
      metrics,
    })
    cache.start()
    await cache.synced()
    await until('the watch after the second list is open', () => bench.watches() === 2)
    await kube.client.create(resources.scmRepositories, namespace, scmRepository('afterwards'))

    await until('the watch brings it', () => cache.store.size === 1)

    const order = bench.proxy.seen.map((request) => (request.isWatch ? 'watch' : 'list')).join(' ')
    assert.equal(order, 'list watch list watch')
    const expired = (await metrics.relists.get()).values.find(({ labels }) => labels.cause === 'expired')
    assert.equal(expired?.value, 1)
    await cache.stop()
  })

  it('replaces a watch that has died in silence', async () => {
    const cache = await bench.synced({ silenceMs: 1000 })
    await until('the watch is open', () => bench.watches() === 1)
    bench.proxy.freeze()
    await bench.put('unseen', '1')
    await until('the alarm has gone off', async () => {
      const restarts = (await bench.metrics.watchRestarts.get()).values
      return restarts.some(({ labels }) => labels.cause === 'silent')
    })
    bench.proxy.thaw()

    await until('the change is seen', () => bench.value(cache, 'unseen') === '1')
    assert.equal(bench.lists(), 1)
  })

  it('waits as long as a busy server asks, and neither list nor watch is tried before', async () => {
    bench.proxy.inject({ do: 'refuse', status: 429, reason: 'TooManyRequests', retryAfterSeconds: 30 }, isList, 1)
    const cache = bench.informer()
    cache.start()
    await until('the refusal was seen', () => bench.log.lines.some(({ retryMs }) => Number(retryMs) >= 30_000))

    assert.equal(cache.isSynced, false)
    assert.equal(bench.proxy.seen.length, 1)
  })

  it('keeps trying through a burst of errors, cuts and lost answers', async () => {
    const stop = bench.proxy.inject(
      { do: 'refuse', status: 500, reason: 'InternalError' },
      () => true,
      Number.POSITIVE_INFINITY,
    )
    const cache = bench.informer({ backoffMaxMs: 300 })
    cache.start()
    await until('it was refused several times', () => bench.proxy.seen.length > 4)
    assert.equal(cache.isSynced, false)
    stop()
    bench.proxy.inject({ do: 'cut' }, isList, 1)
    bench.proxy.inject({ do: 'lose-answer' }, isList, 1)
    await bench.put('in-the-end', '1')

    await cache.synced()

    await until('the object is there', () => bench.value(cache, 'in-the-end') === '1')
  })

  it('repairs events that were lost, once the periodic list comes', async () => {
    await bench.put('changed', '1')
    await bench.put('deleted', '1')
    bench.proxy.onWatchLine(() => [])
    const cache = await bench.synced({ relistMs: 1500 })
    await until('the watch is open', () => bench.watches() >= 1)
    await bench.put('changed', '2')
    await bench.put('added', '1')
    await kube.client.delete(resources.configMaps, bench.namespace, 'deleted')

    await until(
      'all three are repaired',
      () =>
        bench.value(cache, 'changed') === '2' &&
        bench.value(cache, 'added') === '1' &&
        bench.value(cache, 'deleted') === undefined,
    )
    assert.ok(bench.lists() > 1)
  })

  it('tells nobody about a periodic list that found nothing new', async () => {
    await bench.put('calm', '1')
    await bench.synced({ relistMs: 300 })

    await until('several lists have run', () => bench.lists() > 3)

    assert.deepEqual(bench.changes, [[`${bench.namespace}/calm`, '1', undefined]])
    assert.equal((await bench.metrics.repairs.get()).values.length, 0)
  })

  it('is not confused by repeated and late events', async () => {
    const earlier: string[] = []
    bench.proxy.onWatchLine((line) => {
      earlier.push(line)
      return [...earlier, line]
    })
    const cache = await bench.synced()
    for (const value of ['1', '2', '3', '4']) await bench.put('storm', value)

    await until('the last version is seen', () => bench.value(cache, 'storm') === '4')

    assert.deepEqual(
      bench.changes.map(([, current]) => current),
      ['1', '2', '3', '4'],
    )
  })

  it('lists again when a line of the watch cannot be read', async () => {
    const cache = await bench.synced()
    await until('the watch is open', () => bench.watches() === 1)
    bench.proxy.onWatchLine((line) => [line.slice(0, line.length / 2)])
    await bench.put('torn', '1')
    await until('the list brought it', () => bench.value(cache, 'torn') === '1')
    bench.proxy.onWatchLine(undefined)
    await bench.put('whole', '1')

    await until('the watch is whole again', () => bench.value(cache, 'whole') === '1')
    assert.ok(bench.lists() >= 2)
  })

  it('stops at once, also while it waits to try again, and can be started again', async () => {
    const stop = bench.proxy.inject(
      { do: 'refuse', status: 500, reason: 'InternalError' },
      () => true,
      Number.POSITIVE_INFINITY,
    )
    const cache = bench.informer()
    cache.start()
    await until('it was refused', () => bench.proxy.seen.length > 0)
    const waiting = assert.rejects(cache.synced(), /was stopped/)
    await cache.stop()
    await waiting
    const requests = bench.proxy.seen.length
    stop()

    cache.start()
    await cache.synced()

    assert.equal(bench.lists(), requests + 1)
  })
})
