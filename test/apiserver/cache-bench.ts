/**
 * A cache of ConfigMaps behind a fault proxy, in a namespace of its own. Only objects with the label test=yes are cached;
 * each carries one value.
 */
import { createKubeClient, type KubeClient } from '../../operator/kube/client.ts'
import { loadConnection } from '../../operator/kube/connection.ts'
import { createInformer, type Informer } from '../../operator/kube/informer.ts'
import { type ConfigMap, projectMetadata } from '../../operator/kube/objects.ts'
import type { ReflectorTimes } from '../../operator/kube/reflector.ts'
import { resources } from '../../operator/kube/resources.ts'
import type { Metrics } from '../../operator/telemetry/metrics.ts'
import { type FaultProxy, type SeenRequest, startFaultProxy } from '../support/fault-proxy.ts'
import { type ControlPlane, testLog, testMetrics } from '../support/kubernetes.ts'

export interface CacheBench {
  readonly namespace: string
  readonly proxy: FaultProxy
  /** Reaches the API server through the proxy. */
  readonly client: KubeClient
  readonly metrics: Metrics
  readonly log: ReturnType<typeof testLog>
  /** What onChange has heard so far: key, value now, value before. */
  readonly changes: (readonly [key: string, current: string | undefined, previous: string | undefined])[]
  /** Caches that are stopped at the end. */
  readonly running: Informer<ConfigMap>[]
  informer(times?: Partial<ReflectorTimes>, namespaces?: readonly string[]): Informer<ConfigMap>
  /** A cache that is started and has its first list. */
  synced(times?: Partial<ReflectorTimes>): Promise<Informer<ConfigMap>>
  /** Writes an object past the proxy. */
  put(name: string, value: string, namespace?: string): Promise<ConfigMap>
  /** The value in the cache. */
  value(cache: Informer<ConfigMap>, name: string): string | undefined
  /** How many lists, pages counted, and watches have passed the proxy. */
  lists(): number
  watches(): number
  close(): Promise<void>
}

export function isWatch(request: SeenRequest): boolean {
  return request.isWatch
}

export function isList({ method, path, isWatch }: SeenRequest): boolean {
  return method === 'GET' && !isWatch && path.endsWith('/configmaps')
}

export async function openCacheBench(kube: ControlPlane): Promise<CacheBench> {
  const namespace = await kube.createNamespace('cache')
  const proxy = await startFaultProxy(await loadConnection({ kubeconfig: kube.cluster.kubeconfig }))
  const metrics = testMetrics()
  const client = createKubeClient({ connection: proxy.connection, metrics })
  const log = testLog()
  const changes: CacheBench['changes'] = []
  const running: Informer<ConfigMap>[] = []
  const valueIn = (object: ConfigMap | undefined) => object?.data?.['value']

  const bench: CacheBench = {
    namespace,
    proxy,
    client,
    metrics,
    log,
    changes,
    running,
    informer(times = {}, namespaces = [namespace]) {
      const cache = createInformer<ConfigMap>({
        client,
        resource: resources.configMaps,
        namespaces,
        labelSelector: 'test=yes',
        project: ({ metadata, data }) => ({ metadata: projectMetadata(metadata), ...(data && { data }) }),
        indexes: { value: (object) => [valueIn(object) ?? ''] },
        onChange: (key, current, previous) => void changes.push([key, valueIn(current), valueIn(previous)]),
        log: log.log,
        metrics,
        times,
      })
      running.push(cache)
      return cache
    },
    async synced(times) {
      const cache = bench.informer(times)
      cache.start()
      await cache.synced()
      return cache
    },
    put(name, value, where = namespace) {
      const metadata = { name, labels: { test: 'yes' } }
      const manifest = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { value } }
      return kube.client.apply(resources.configMaps, where, manifest, { fieldManager: 'test' })
    },
    value: (cache, name) => valueIn(cache.store.get(`${namespace}/${name}`)),
    lists: () => proxy.seen.filter(isList).length,
    watches: () => proxy.seen.filter(isWatch).length,
    async close() {
      await Promise.all(running.map((cache) => cache.stop()))
      await client.close()
      await proxy.stop()
    },
  }
  return bench
}
