/** Specification of probes and metrics over HTTP. */
import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { Registry } from 'prom-client'
import { cachesSynced, createHealthServer, watchesAlive } from '../../../operator/telemetry/health.ts'
import type { PlainServer } from '../../../operator/telemetry/http.ts'
import { createMetrics } from '../../../operator/telemetry/metrics.ts'
import { createMetricsServer } from '../../../operator/telemetry/metrics-server.ts'

const host = '127.0.0.1'
const cleanups: (() => Promise<void>)[] = []

async function serve(
  server: PlainServer,
): Promise<(path: string, init?: RequestInit) => Promise<{ status: number; text: string }>> {
  const port = await server.start()
  cleanups.push(() => server.stop())
  return async (path, init) => {
    const answer = await fetch(`http://${host}:${port}${path}`, init)
    return { status: answer.status, text: await answer.text() }
  }
}

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

describe('probes', () => {
  it('are ready only when every cache has its first list, and say which one has not', async () => {
    const runs = { isSynced: false, lastActivity: performance.now() }
    const caches = { connections: { isSynced: true, lastActivity: performance.now() }, runs }
    const ask = await serve(createHealthServer({ port: 0, host, live: {}, ready: { caches: cachesSynced(caches) } }))

    const before = await ask('/readyz')
    runs.isSynced = true
    const after = await ask('/readyz')

    assert.deepEqual(before, { status: 503, text: '[-] caches: not listed yet: runs\n' })
    assert.deepEqual(after, { status: 200, text: '[+] caches ok\n' })
  })

  it('are alive while any watch hears of the API server, and dead when all have been silent for long', async () => {
    const old = performance.now() - 10_000
    const quiet = { isSynced: true, lastActivity: old }
    const lively = { isSynced: true, lastActivity: performance.now() }
    const live = {
      some: watchesAlive({ quiet, lively }, 5000),
      all: watchesAlive({ quiet }, 5000),
      none: watchesAlive({}),
    }
    const ask = await serve(createHealthServer({ port: 0, host, live, ready: {} }))

    const { status, text } = await ask('/livez')

    assert.equal(status, 503)
    assert.match(
      text,
      /^\[\+\] some ok\n\[-\] all: no watch has heard of the API server for 1\d seconds\n\[\+\] none ok\n$/,
    )
  })

  it('fail when a check itself throws, without telling why to the world', async () => {
    const check = () => {
      throw new Error('fake-secret')
    }
    const ask = await serve(createHealthServer({ port: 0, host, live: { broken: check }, ready: {} }))

    assert.deepEqual(await ask('/livez'), { status: 503, text: '[-] broken: the check itself failed\n' })
  })

  it('answer nothing but GET of their paths', async () => {
    const ask = await serve(createHealthServer({ port: 0, host, live: {}, ready: {} }))

    assert.equal((await ask('/metrics')).status, 404)
    assert.equal((await ask('/livez', { method: 'POST' })).status, 404)
    assert.equal((await ask('/livez?verbose')).status, 200)
  })

  it('say so when the port is taken', async () => {
    const first = createHealthServer({ port: 0, host, live: {}, ready: {} })
    const port = await first.start()
    cleanups.push(() => first.stop())

    await assert.rejects(createHealthServer({ port, host, live: {}, ready: {} }).start(), { code: 'EADDRINUSE' })
  })
})

describe('metrics', () => {
  it('are served in the format of Prometheus', async () => {
    const registry = new Registry()
    const metrics = createMetrics(registry)
    metrics.scansFailed.inc({ reason: 'OutOfMemory' })
    const ask = await serve(createMetricsServer({ port: 0, host, registry }))

    const { status, text } = await ask('/metrics')

    assert.equal(status, 200)
    assert.match(text, /^scanfleet_scans_failed_total\{reason="OutOfMemory"\} 1$/m)
  })

  it('have names by the conventions and a sentence each', async () => {
    const registry = new Registry()
    createMetrics(registry)
    const all = (await registry.getMetricsAsJSON()) as { name: string; help: string; type: unknown }[]

    assert.ok(all.length > 25)
    for (const { name, help, type } of all) {
      assert.match(name, /^scanfleet_[a-z]+(_[a-z]+)*$/)
      assert.match(help, /^[\w/].*\.$/, `${name} needs a sentence`)
      assert.equal(name.endsWith('_total'), String(type) === 'counter', `${name} is a ${type}`)
    }
  })
})
