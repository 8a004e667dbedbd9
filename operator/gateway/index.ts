/**
 * Wires the gateway: caches, store, listeners, outbox. Invariant: it serves when, and only when, everything that an
 * answer depends on is there; and stopping it finishes the uploads in hand.
 */
import { mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import express from 'express'
import helmet from 'helmet'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { GatewayConfig } from '../config.ts'
import type { KubeClient } from '../kube/client.ts'
import { cachesSynced, createHealthServer, watchesAlive } from '../telemetry/health.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { createMetricsServer } from '../telemetry/metrics-server.ts'
import { createAccess } from './api/access.ts'
import { createApiRouter } from './api/route.ts'
import { startCanary } from './canary.ts'
import { waitForCertificate, watchCertificate } from './certificate.ts'
import { sendProblem } from './problem.ts'
import { createPublisher } from './publish/publisher.ts'
import { createResultParser, parserDefaults, resultWorkerUrl } from './results/parser.ts'
import { createResultsRouter, type ResultLimits, standardResultLimits } from './results/route.ts'
import { createRuns } from './runs.ts'
import { type ListenerLimits, listenHttps, standardListenerLimits } from './server.ts'
import type { StoreOptions } from './store/dialects.ts'
import { type FindingsStore, openStore } from './store/index.ts'

export interface GatewayDeps {
  readonly client: KubeClient
  readonly log: Logger
  /** The registry in which `metrics` are. */
  readonly registry: Registry
  readonly metrics: Metrics
  /** Ends a start that waits for something. */
  readonly signal?: AbortSignal
  readonly now?: () => Date
  readonly resultLimits?: ResultLimits
  readonly listenerLimits?: ListenerLimits
}

export interface Gateway {
  /** The ports in use, where the configuration said 0. */
  readonly ports: { readonly https: number; readonly canary: number; readonly health: number; readonly metrics: number }
  /** Resolves when uploads in hand are finished and everything is closed, after `shutdownSeconds` at the latest. */
  stop(): Promise<void>
}

const concurrentRequests = 32

/** Resolves when the gateway serves. It waits for the certificate, the database and the caches as long as that takes. */
export async function runGateway(config: GatewayConfig, deps: GatewayDeps): Promise<Gateway> {
  const { client, log, metrics, registry, now = () => new Date() } = deps
  const signal = deps.signal ?? new AbortController().signal
  const closers: ((hurry: AbortSignal) => Promise<unknown>)[] = []
  const stop = async () => {
    const hurry = AbortSignal.timeout(config.shutdownSeconds * 1000)
    for (const close of closers.splice(0).reverse()) await close(hurry)
  }
  try {
    const serving = { store: undefined as FindingsStore | undefined, https: false }
    const runs = createRuns({ client, namespaces: config.watchNamespaces, log, metrics })
    const caches = { scanRuns: runs.informers[0], scmRepositories: runs.informers[1] }
    const health = createHealthServer({
      port: config.healthPort,
      live: { watches: watchesAlive(caches) },
      ready: {
        caches: cachesSynced(caches),
        store: () => checkStore(serving.store),
        listener: () => (serving.https ? undefined : 'not listening yet'),
      },
    })
    const metricsServer = createMetricsServer({ port: config.metricsPort, registry })
    const healthPort = await health.start()
    closers.push(() => health.stop())
    const metricsPort = await metricsServer.start()
    closers.push(() => metricsServer.stop())
    const canary = await startCanary(config.fenceCanaryPort)
    closers.push(() => canary.stop())

    const store = await openStoreWhenThere(await storeOptions(config, log), log, signal)
    serving.store = store
    closers.push(() => store.close())
    const parser = createResultParser({ ...parserDefaults, workerUrl: resultWorkerUrl() })
    closers.push(() => parser.stop())
    for (const informer of runs.informers) {
      informer.start()
      closers.push(() => informer.stop())
    }
    const certificate = await waitForCertificate(config.tlsDirectory, log, signal)
    await untilAborted(Promise.all(runs.informers.map((informer) => informer.synced())), signal)
    const publisher = createPublisher({ client, runs, store, log, metrics, now })
    publisher.start()
    closers.push((hurry) => publisher.stop(hurry))

    const app = express().disable('x-powered-by').disable('etag').set('query parser', 'simple').use(helmet())
    const limits = deps.resultLimits ?? standardResultLimits
    app.use(createResultsRouter({ runs, store, parser, publisher, limits, log, metrics, now }))
    app.use(createApiRouter({ access: createAccess(client), store, log, concurrentRequests }))
    app.use((_request, response) => {
      sendProblem(response, { status: 404, reason: 'NotFound', detail: 'There is nothing here.' })
    })
    const https = await listenHttps({
      app,
      port: config.port,
      certificate,
      limits: deps.listenerLimits ?? standardListenerLimits,
    })
    serving.https = true
    closers.push((hurry) => {
      serving.https = false
      return https.stop(hurry)
    })
    const watch = watchCertificate(config.tlsDirectory, certificate, (pair) => {
      https.setCertificate(pair)
      log.info('certificate of the gateway reloaded')
    })
    closers.push(async () => watch.stop())
    const ports = { https: https.port, canary: canary.port, health: healthPort, metrics: metricsPort }
    log.info({ ports }, 'gateway serves')
    return { ports, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function storeOptions(config: GatewayConfig, log: Logger): Promise<StoreOptions> {
  if (config.postgresUrlFile === undefined) {
    await mkdir(dirname(config.sqliteFile), { recursive: true })
    return { kind: 'sqlite', file: config.sqliteFile }
  }
  const url = (await readFile(config.postgresUrlFile, 'utf8')).trim()
  const onLostConnection = (error: Error) => log.warn({ err: error }, 'connection to the database was lost')
  return { kind: 'postgres', url, onLostConnection }
}

/** A database that is not there yet is normal when everything starts at once. */
async function openStoreWhenThere(options: StoreOptions, log: Logger, signal: AbortSignal): Promise<FindingsStore> {
  for (let waitMs = 250; ; waitMs = Math.min(waitMs * 2, 10_000)) {
    try {
      return await openStore(options)
    } catch (error) {
      log.error({ err: error }, 'findings store could not be opened')
      await sleep(waitMs, undefined, { signal })
    }
  }
}

async function checkStore(store: FindingsStore | undefined): Promise<string | undefined> {
  if (!store) return 'not open yet'
  try {
    await store.ping()
    return undefined
  } catch {
    return 'the database does not answer'
  }
}

function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) return Promise.reject(signal.reason)
  const aborted = Promise.withResolvers<never>()
  const abort = () => aborted.reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  return Promise.race([promise, aborted.promise]).finally(() => signal.removeEventListener('abort', abort))
}
