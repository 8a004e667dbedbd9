/** Specification of the client: verbs against a real API server, and what it does when the way there is bad. */
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { createKubeClient, type KubeClient } from '../../operator/kube/client.ts'
import { type Connection, loadConnection } from '../../operator/kube/connection.ts'
import {
  isAlreadyExists,
  isConflict,
  isForbidden,
  isInvalid,
  isUnreachable,
  KubeError,
} from '../../operator/kube/errors.ts'
import type { ConfigMap } from '../../operator/kube/objects.ts'
import { resources } from '../../operator/kube/resources.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { type ControlPlane, openControlPlane, testMetrics } from '../support/kubernetes.ts'

const { configMaps } = resources

function configMap(name: string, value = '1', extra: object = {}): object {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ...extra }, data: { value } }
}

describe('the client', () => {
  let kube: ControlPlane
  let client: KubeClient
  let namespace: string

  before(async () => {
    kube = await openControlPlane()
    client = kube.client
    namespace = await kube.createNamespace('client')
  })
  after(() => kube.close())

  it('knows nothing of an object that is not there', async () => {
    assert.equal(await client.get(configMaps, namespace, 'absent'), undefined)
    assert.equal(await client.delete(configMaps, namespace, 'absent'), false)
  })

  it('tells a name that is taken from a version that is old', async () => {
    const made = await client.create(configMaps, namespace, configMap('taken'))
    const patch = (resourceVersion: string) => ({ metadata: { resourceVersion }, data: { value: '2' } })
    await client.patch(configMaps, namespace, 'taken', patch(made.metadata.resourceVersion), { type: 'merge' })

    await assert.rejects(client.create(configMaps, namespace, configMap('taken')), (error) => {
      return isAlreadyExists(error) && !isConflict(error)
    })
    const late = client.patch(configMaps, namespace, 'taken', patch(made.metadata.resourceVersion), { type: 'merge' })
    await assert.rejects(late, (error) => isConflict(error) && !isAlreadyExists(error))
  })

  it('deletes only the very object that was meant', async () => {
    const first = await client.create(configMaps, namespace, configMap('again'))
    await client.delete(configMaps, namespace, 'again')
    const second = await client.create(configMaps, namespace, configMap('again'))

    assert.equal(await client.delete(configMaps, namespace, 'again', { uid: first.metadata.uid }), false)
    assert.equal((await client.get(configMaps, namespace, 'again'))?.metadata.uid, second.metadata.uid)
    const stale = { uid: second.metadata.uid, resourceVersion: first.metadata.resourceVersion }
    assert.equal(await client.delete(configMaps, namespace, 'again', stale), false)
    assert.equal(await client.delete(configMaps, namespace, 'again', { uid: second.metadata.uid }), true)
  })

  it('applies fields under a manager, and what the manager leaves out later goes away', async () => {
    const apply = (manager: string, data: object) =>
      client.apply<ConfigMap>(configMaps, namespace, { ...configMap('applied'), data }, { fieldManager: manager })
    await apply('one', { a: '1', b: '1' })
    await apply('two', { c: '1' })

    const written = await apply('one', { a: '2' })

    assert.deepEqual(written.data, { a: '2', c: '1' })
  })

  it('does not take fields over from another manager when it is told not to', async () => {
    const manifest = configMap('owned')
    await client.apply(configMaps, namespace, manifest, { fieldManager: 'one' })

    const other = client.apply(configMaps, namespace, configMap('owned', '2'), { fieldManager: 'two', force: false })

    await assert.rejects(other, isConflict)
  })

  it('refuses unknown fields in what the operator itself writes', async () => {
    const wrong = { ...configMap('wrong'), dta: {} }

    await assert.rejects(client.create(configMaps, namespace, wrong), (error) => {
      return isInvalid(error) && /unknown field "dta"/.test((error as Error).message)
    })
  })

  it('lists by label and in pages', async () => {
    for (const name of ['p1', 'p2', 'p3']) {
      await client.create(configMaps, namespace, configMap(name, '1', { labels: { paged: 'yes' } }))
    }
    const first = await client.list(configMaps, namespace, { labelSelector: 'paged=yes', limit: 2 })
    const second = await client.list(configMaps, namespace, {
      labelSelector: 'paged=yes',
      limit: 2,
      continue: first.continue,
    })

    assert.deepEqual(
      [first, second].map(({ items }) => items.map(({ metadata }) => metadata.name)),
      [['p1', 'p2'], ['p3']],
    )
    assert.equal(second.continue, undefined)
    assert.match(first.resourceVersion, /^[1-9]\d*$/)
  })

  it('asks for reviews, which have no name and no namespace', async () => {
    const token = (await kube.kubectl(['create', 'token', 'default', '--namespace', namespace])).trim()
    const review = (spec: object, kind: string, group: string) => ({ apiVersion: `${group}/v1`, kind, spec })

    const who = await client.create(
      resources.tokenReviews,
      undefined,
      review({ token }, 'TokenReview', 'authentication.k8s.io'),
    )
    const user = who.status?.user?.username
    const attributes = { namespace, verb: 'get', resource: 'secrets' }
    const may = await client.create(
      resources.subjectAccessReviews,
      undefined,
      review({ user, resourceAttributes: attributes }, 'SubjectAccessReview', 'authorization.k8s.io'),
    )

    assert.equal(user, `system:serviceaccount:${namespace}:default`)
    assert.equal(may.status?.allowed, false)
  })

  it('says what it is not allowed to do, without the token that it used', async () => {
    const token = (await kube.kubectl(['create', 'token', 'default', '--namespace', namespace])).trim()
    const admin = await loadConnection({ kubeconfig: kube.cluster.kubeconfig })
    const { tls } = await admin.credentials()
    const credentials = async () => ({
      headers: { authorization: `Bearer ${token}` },
      tls: tls.ca ? { ca: tls.ca } : {},
    })
    const weak = createKubeClient({ connection: { server: admin.server, credentials }, metrics: testMetrics() })

    const asking = weak.list(resources.secrets, namespace)

    await assert.rejects(asking, (error) => {
      assert.ok(isForbidden(error))
      assert.ok(!JSON.stringify(error, Object.getOwnPropertyNames(error)).includes(token))
      return true
    })
    await weak.close()
  })

  describe('on a bad way', () => {
    let proxy: FaultProxy
    let through: KubeClient
    let metrics: ReturnType<typeof testMetrics>

    beforeEach(async () => {
      proxy = await startFaultProxy(await loadConnection({ kubeconfig: kube.cluster.kubeconfig }))
      metrics = testMetrics()
      through = createKubeClient({ connection: proxy.connection, metrics, timeoutMs: 2000 })
    })
    afterEach(async () => {
      await through.close()
      await proxy.stop()
    })

    const any = () => true

    it('repeats a read after a cut, and never a write', async () => {
      proxy.inject({ do: 'cut' }, any, 1)
      await through.list(configMaps, namespace)
      assert.equal(proxy.seen.length, 2)

      proxy.inject({ do: 'lose-answer' }, any, 1)
      await assert.rejects(through.create(configMaps, namespace, configMap('lost')), isUnreachable)

      assert.equal(proxy.seen.length, 3)
      await assert.rejects(through.create(configMaps, namespace, configMap('lost')), isAlreadyExists)
    })

    it('waits as long as a busy server asks, since it has done nothing yet', async () => {
      proxy.inject({ do: 'refuse', status: 429, reason: 'TooManyRequests', retryAfterSeconds: 1 }, any, 2)
      const begin = performance.now()

      await through.create(configMaps, namespace, configMap('patient'))

      assert.equal(proxy.seen.length, 3)
      assert.ok(performance.now() - begin >= 2000)
    })

    it('hands a long wait over to the caller', async () => {
      proxy.inject({ do: 'refuse', status: 429, reason: 'TooManyRequests', retryAfterSeconds: 60 }, any, 1)

      await assert.rejects(through.list(configMaps, namespace), (error) => {
        return error instanceof KubeError && error.retryAfterSeconds === 60
      })
    })

    it('gives up on a server that says nothing', async () => {
      proxy.freeze()

      await assert.rejects(through.create(configMaps, namespace, configMap('frozen')), (error) => {
        return isUnreachable(error) && /no answer from the API server/.test((error as Error).message)
      })
      proxy.thaw()
    })

    it('ends a request when its caller does not want it any more', async () => {
      proxy.freeze()
      const controller = new AbortController()
      const asking = through.list(configMaps, namespace, { signal: controller.signal })
      controller.abort()

      await assert.rejects(asking, { name: 'AbortError' })
      proxy.thaw()
    })

    it('counts every request by verb, kind and outcome', async () => {
      proxy.inject({ do: 'cut' }, any, 1)
      await through.list(configMaps, namespace)
      await through.get(configMaps, namespace, 'absent')

      const rows = (await metrics.apiRequests.get()).values.map(
        ({ labels, value }) => `${labels.verb} ${labels.resource} ${labels.code} ${value}`,
      )

      assert.deepEqual(rows.sort(), ['get configmaps 404 1', 'list configmaps 200 1', 'list configmaps none 1'])
    })
  })

  it('uses few connections for many requests, and reads a renewed token', async () => {
    const admin = await loadConnection({ kubeconfig: kube.cluster.kubeconfig })
    const { tls } = await admin.credentials()
    const good = (await kube.kubectl(['create', 'token', 'default', '--namespace', namespace])).trim()
    const tokens = ['fake-expired-token', good]
    let reads = 0
    const connection: Connection = {
      server: admin.server,
      credentials: async () => {
        const token = tokens[Math.min(reads++, 1)]
        return { headers: { authorization: `Bearer ${token}` }, tls: tls.ca ? { ca: tls.ca } : {} }
      },
    }
    const renewed = createKubeClient({ connection, metrics: testMetrics() })

    await Promise.all(Array.from({ length: 100 }, () => renewed.serverVersion()))

    const { port } = new URL(admin.server)
    const sockets = process
      .getActiveResourcesInfo()
      .filter((name) => name === 'TLSWrap' || name === 'TCPSocketWrap').length
    assert.ok(sockets <= 80, `${sockets} sockets are open to port ${port}`)
    await renewed.close()
  })
})

describe('the way to the API server', () => {
  it('is never a context that nobody named when one is asked for that does not exist', async () => {
    const { cluster, close } = await openControlPlane()
    await close()

    await assert.rejects(loadConnection({ kubeconfig: cluster.kubeconfig, context: 'nobody' }), /has no context nobody/)
  })

  it('is the service account of the pod inside a cluster, without reading any kubeconfig', async () => {
    const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' }

    const connection = await loadConnection({ env })

    assert.equal(connection.server, 'https://[fd00::1]:443')
    await assert.rejects(connection.credentials(), /serviceaccount/)
  })
})
