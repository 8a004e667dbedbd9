/** Specification of the caches on a good day: what they hold, index, project and tell. */
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { createInformer } from '../../operator/kube/informer.ts'
import type { ConfigMap } from '../../operator/kube/objects.ts'
import { resources } from '../../operator/kube/resources.ts'
import { type ControlPlane, openControlPlane } from '../support/kubernetes.ts'
import { until } from '../support/wait.ts'
import { type CacheBench, isList, isWatch, openCacheBench } from './cache-bench.ts'

describe('a cache', () => {
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

  it('holds what was there before it started, and follows every change', async () => {
    await bench.put('old', '1')
    const cache = await bench.synced()
    assert.equal(bench.value(cache, 'old'), '1')

    await bench.put('new', '1')
    await bench.put('old', '2')
    await until('both changes are seen', () => bench.value(cache, 'new') === '1' && bench.value(cache, 'old') === '2')
    await kube.client.delete(resources.configMaps, bench.namespace, 'old')
    await until('the deletion is seen', () => bench.value(cache, 'old') === undefined)

    assert.deepEqual(bench.changes, [
      [`${bench.namespace}/old`, '1', undefined],
      [`${bench.namespace}/new`, '1', undefined],
      [`${bench.namespace}/old`, '2', '1'],
      [`${bench.namespace}/old`, undefined, '2'],
    ])
    assert.equal(cache.store.size, 1)
    assert.deepEqual(
      cache.store.byIndex('value', '1').map(({ metadata }) => metadata.name),
      ['new'],
    )
    assert.deepEqual(cache.store.byIndex('value', '2'), [])
  })

  it('keeps only what is projected', async () => {
    await bench.put('slim', '1')
    const cache = await bench.synced()

    const kept = cache.store.get(`${bench.namespace}/slim`)

    assert.equal((kept?.metadata as { managedFields?: unknown } | undefined)?.managedFields, undefined)
    assert.deepEqual(Object.keys(kept ?? {}), ['metadata', 'data'])
  })

  it('lists in pages, and all of more than a thousand objects arrive', async () => {
    const names = Array.from({ length: 1050 }, (_, index) => `many-${index}`)
    for (let from = 0; from < names.length; from += 50) {
      await Promise.all(names.slice(from, from + 50).map((name) => bench.put(name, '1')))
    }

    const cache = await bench.synced()

    assert.equal(cache.store.size, 1050)
    assert.equal(bench.lists(), 3)
    assert.deepEqual(
      bench.proxy.seen.filter(isList).map(({ query }) => query.get('limit')),
      ['500', '500', '500'],
    )
  })

  it('watches several namespaces into one store, and leaves others alone', async () => {
    const [second, third] = [await kube.createNamespace('second'), await kube.createNamespace('third')]
    await bench.put('here', '1')
    await bench.put('here', '2', second)
    await bench.put('here', '3', third)
    const cache = bench.informer({}, [bench.namespace, second])
    cache.start()
    await cache.synced()

    assert.deepEqual([...cache.store.values()].map(({ data }) => data?.['value']).sort(), ['1', '2'])
  })

  it('moves its place forward by bookmarks while its own kind is quiet', async () => {
    await bench.synced({ watchSeconds: 3 })
    const first = await until('a watch is open', () => bench.proxy.seen.find(isWatch))
    // Other objects move the server's version; none of them is of this selector.
    await kube.client.create(resources.configMaps, bench.namespace, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'unlabelled' },
    })
    const from = Number(first.query.get('resourceVersion'))

    await until('a later watch begins at a bookmark', () =>
      bench.proxy.seen.some((request) => request.isWatch && Number(request.query.get('resourceVersion')) > from),
    )

    assert.equal(first.query.get('allowWatchBookmarks'), 'true')
    assert.equal(bench.lists(), 1)
  })

  it('shows our own write at once, and the event that follows changes nothing', async () => {
    const cache = await bench.synced()
    const written = await bench.put('own', '1')
    cache.store.observe(`${bench.namespace}/own`, written)
    assert.equal(bench.value(cache, 'own'), '1')
    await bench.put('later', '1')
    await until('events have passed', () => bench.value(cache, 'later') === '1')

    assert.deepEqual(
      bench.changes.filter(([key]) => key.endsWith('/own')),
      [[`${bench.namespace}/own`, '1', undefined]],
    )
  })

  it('does not bring back what we deleted ourselves', async () => {
    const made = await bench.put('gone', '1')
    const cache = await bench.synced()
    const held: string[] = []
    bench.proxy.onWatchLine((line) => {
      held.push(line)
      return []
    })
    await bench.put('gone', '2')
    await until('the change is held back', () => held.length > 0)
    await kube.client.delete(resources.configMaps, bench.namespace, 'gone')
    cache.store.forget(`${bench.namespace}/gone`, made.metadata.uid)
    bench.proxy.onWatchLine((line) => [...held.splice(0), line])
    await bench.put('gone', '3')

    await until('the namesake is seen', () => bench.value(cache, 'gone') === '3')

    assert.deepEqual(
      bench.changes.map(([, current]) => current),
      ['1', undefined, '3'],
    )
  })

  it('goes on when a handler throws', async () => {
    const values: (string | undefined)[] = []
    const cache = createInformer<ConfigMap>({
      client: bench.client,
      resource: resources.configMaps,
      namespaces: [bench.namespace],
      project: (raw) => raw,
      onChange: (_key, current) => {
        values.push(current?.data?.['value'])
        throw new Error('a fault of the handler')
      },
      log: bench.log.log,
      metrics: bench.metrics,
      labelSelector: 'test=yes',
    })
    bench.running.push(cache)
    cache.start()
    await cache.synced()
    await bench.put('first', '1')
    await bench.put('second', '2')

    await until('both were handed over', () => values.length === 2)

    assert.equal((await bench.metrics.handlerErrors.get()).values[0]?.value, 2)
  })
})
