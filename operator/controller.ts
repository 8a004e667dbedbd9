/**
 * Wires the controller: caches, queues, reconcilers, leader election. Invariant: caches follow the cluster in every replica,
 * and only the leader reconciles; a replica that loses the Lease ends, since a new process is the surest way to start clean.
 */
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { KubeObject } from './api/kinds.ts'
import { annotations } from './api/names.ts'
import type { ControllerConfig } from './config.ts'
import type { KubeClient } from './kube/client.ts'
import { createEventRecorder } from './kube/events.ts'
import { createLeaderElection } from './kube/leader.ts'
import { keyOf } from './kube/objects.ts'
import { createQueue, type Queue } from './kube/queue.ts'
import { type Caches, createCaches, holderOf, type Listeners, runOf } from './reconcilers/caches.ts'
import { createManagedScanReconciler } from './reconcilers/managed-scan/index.ts'
import { createGate } from './reconcilers/scan-run/admission.ts'
import { createCredentials } from './reconcilers/scan-run/credentials.ts'
import { hasEnded } from './reconcilers/scan-run/decide.ts'
import { createGatewayAccess } from './reconcilers/scan-run/gateway-access.ts'
import { createScanRunReconciler } from './reconcilers/scan-run/index.ts'
import { createClients } from './reconcilers/scm-connection/clients.ts'
import { createScmConnectionReconciler } from './reconcilers/scm-connection/index.ts'
import { readNamespaceFault } from './scan/isolation.ts'
import { resolveAddresses } from './scm/http/addresses.ts'
import { createLimiters, createScm } from './scm/registry.ts'
import { cachesSynced, createHealthServer, watchesAlive } from './telemetry/health.ts'
import type { Metrics } from './telemetry/metrics.ts'
import { createMetricsServer } from './telemetry/metrics-server.ts'
import type { Redactor } from './telemetry/redact.ts'
import { ensureGatewayCertificate } from './tls/index.ts'

export interface ControllerDeps {
  readonly client: KubeClient
  /** Base address of the API server. */
  readonly apiServer: string
  readonly log: Logger
  readonly registry: Registry
  readonly metrics: Metrics
  readonly redactor: Redactor
  /** Called when the Lease is lost; the process has to end. */
  readonly onLost: () => void
  readonly now?: () => Date
}

export interface Controller {
  stop(): Promise<void>
}

/** How long changes of children are gathered before their parent is looked at. */
const gatherMs = 300
const namespaceCheckMs = 60_000
const certificateRetryMs = 10_000
const workers = { connections: 8, managedScans: 4, scanRuns: 24 }

export async function runController(config: ControllerConfig, deps: ControllerDeps): Promise<Controller> {
  const { client, log, metrics, registry, redactor, now = () => new Date() } = deps
  const addressRules = { allowedPrivateNetworks: config.allowedPrivateNetworks }
  const events = createEventRecorder({
    client,
    component: 'scanfleet-controller',
    instance: config.podName,
    redactor,
    log,
    metrics,
  })
  const queues = {} as { connections: Queue; managedScans: Queue; scanRuns: Queue }
  const { caches, informers } = createCaches({
    client,
    watchNamespaces: config.watchNamespaces,
    scanNamespace: config.scanNamespace,
    listeners: listeners(),
    log,
    metrics,
  })

  const limiters = createLimiters({ now })
  const clients = createClients({
    client,
    connections: caches.connections,
    redactor,
    log,
    createScm: (connection, credentials, ca) =>
      createScm(
        { spec: connection.spec, credentials, ...(ca !== undefined && { ca }) },
        { connection: keyOf(connection), ...addressRules, log, metrics: codeHostMetrics(metrics), now, limiters },
      ),
  })
  const credentials = createCredentials({ client, scanNamespace: config.scanNamespace, clients, log, now })
  const gateway = createGatewayAccess({
    client,
    namespace: config.namespace,
    service: config.gatewayService,
    port: config.gatewayPort,
    canaryPort: config.fenceCanaryPort,
    tlsSecret: config.gatewayTlsSecret,
    apiServer: deps.apiServer,
  })
  const gate = createGate({
    caps: {
      overall: config.maxConcurrentScans === 0 ? Number.POSITIVE_INFINITY : config.maxConcurrentScans,
      managedScan: (key) => caches.managedScans.get(key)?.spec.limits.concurrent ?? 0,
      connection: (key) => caches.connections.get(key)?.spec.limits.concurrent ?? 0,
    },
    *jobHolders() {
      for (const job of caches.jobs.values()) {
        const holder = holderOf(job)
        if (holder) yield holder
      }
    },
    onAdmitted: (key) => queues.scanRuns.add(key),
  })
  let namespaceFault: string | undefined = 'The scan namespace has not been checked yet.'

  queues.connections = createQueue({
    name: 'scm-connection',
    workers: workers.connections,
    reconcile: createScmConnectionReconciler({
      client,
      connections: caches.connections,
      repositories: caches.repositories,
      clients,
      events,
      redactor,
      log,
      now,
      onReady: wakeConnection,
    }),
    log,
    metrics,
  })
  queues.managedScans = createQueue({
    name: 'managed-scan',
    workers: workers.managedScans,
    reconcile: createManagedScanReconciler({ client, caches, now }),
    log,
    metrics,
  })
  queues.scanRuns = createQueue({
    name: 'scan-run',
    workers: workers.scanRuns,
    reconcile: createScanRunReconciler({
      client,
      caches,
      clients,
      credentials,
      gate,
      gateway,
      namespaceFault: () => namespaceFault,
      resolve: (host) => resolveAddresses(host, addressRules),
      settings: {
        scanNamespace: config.scanNamespace,
        operatorNamespace: config.namespace,
        image: config.scannerImage,
        imagePullPolicy: config.scannerImagePullPolicy,
        imagePullSecrets: config.scannerImagePullSecrets,
        requireFence: config.requireFence,
      },
      events,
      redactor,
      log,
      metrics,
      now,
    }),
    log,
    metrics,
  })

  /** What a change means for the queues. Handlers only add keys. */
  function listeners(): Listeners {
    return {
      connections(key, current, previous) {
        const changed = wasChangedByPeople(current, previous)
        if (changed) queues.connections.add(key)
        for (const scan of caches.managedScans.byIndex('connection', key))
          queues.managedScans.addAfter(keyOf(scan), gatherMs)
        if (changed) wakeConnection(key)
      },
      repositories(_key, current, previous) {
        const repository = current ?? previous
        if (repository === undefined) return
        const connection = `${repository.metadata.namespace}/${repository.spec.connectionRef.name}`
        for (const scan of caches.managedScans.byIndex('connection', connection))
          queues.managedScans.addAfter(keyOf(scan), gatherMs)
      },
      managedScans(key, current, previous) {
        if (!wasChangedByPeople(current, previous)) {
          queues.managedScans.addAfter(key, gatherMs)
          return
        }
        queues.managedScans.add(key)
        wakeRuns(key)
        gate.wake()
      },
      scanRuns(key, current, previous) {
        queues.scanRuns.add(key)
        const run = current ?? previous
        if (run) queues.managedScans.addAfter(`${run.metadata.namespace}/${run.spec.managedScanRef.name}`, gatherMs)
      },
      jobs(_key, current, previous) {
        const job = current ?? previous
        for (const key of job ? runOf(job) : []) queues.scanRuns.add(key)
        if (current === undefined && previous) {
          credentials.forget(previous.metadata.uid)
          gate.wake()
        }
        metrics.scansRunning.set(caches.jobs.size)
      },
      pods(_key, current, previous) {
        const pod = current ?? previous
        for (const key of pod ? runOf(pod) : []) queues.scanRuns.add(key)
      },
    }
  }

  /** Runs that wait for a connection, or that must end with it. */
  function wakeConnection(key: string): void {
    for (const scan of caches.managedScans.byIndex('connection', key)) {
      queues.managedScans.add(keyOf(scan))
      wakeRuns(keyOf(scan))
    }
  }

  function wakeRuns(managedScan: string): void {
    for (const run of caches.scanRuns.byIndex('managedScan', managedScan))
      if (!hasEnded(run)) queues.scanRuns.add(keyOf(run))
  }

  async function checkNamespace(): Promise<void> {
    const before = namespaceFault
    try {
      namespaceFault = await readNamespaceFault(client, config.scanNamespace)
    } catch (error) {
      log.warn({ err: error }, 'the scan namespace could not be checked')
      return
    }
    if (namespaceFault === before) return
    if (namespaceFault === undefined) log.info({ namespace: config.scanNamespace }, 'the scan namespace isolates scans')
    else
      log.error(
        { namespace: config.scanNamespace, fault: namespaceFault },
        'the scan namespace is not safe, no scan is started',
      )
    for (const run of caches.scanRuns.values()) if (!hasEnded(run)) queues.scanRuns.add(keyOf(run))
  }

  async function keepCertificate(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let waitMs = certificateRetryMs
      try {
        const { renewAt } = await ensureGatewayCertificate({
          client,
          namespace: config.namespace,
          secretName: config.gatewayTlsSecret,
          serviceNames: [config.gatewayService],
          log,
          now,
        })
        gateway.invalidate()
        waitMs = Math.max(certificateRetryMs, Math.min(renewAt.getTime() - now().getTime(), 6 * 3_600_000))
      } catch (error) {
        log.error({ err: error }, 'the certificate of the gateway could not be made')
      }
      await pause(waitMs, signal)
    }
  }

  async function repeat(work: () => Promise<void>, everyMs: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await work()
      await pause(everyMs, signal)
    }
  }

  const leading = new AbortController()
  const background: Promise<void>[] = []
  function lead(): void {
    if (config.manageGatewayTls) background.push(keepCertificate(leading.signal))
    background.push(repeat(checkNamespace, namespaceCheckMs, leading.signal))
    for (const queue of Object.values(queues)) queue.start()
    log.info('this replica leads')
  }

  const watching = Object.fromEntries(
    informers.map((informer, index) => [informerNames[index] ?? String(index), informer]),
  )
  const health = createHealthServer({
    port: config.healthPort,
    live: { watches: watchesAlive(watching) },
    ready: { caches: cachesSynced(watching) },
  })
  const metricsServer = createMetricsServer({ port: config.metricsPort, registry })
  await health.start()
  await metricsServer.start()
  for (const informer of informers) informer.start()
  const election = createLeaderElection({
    client,
    namespace: config.namespace,
    name: 'scanfleet-controller',
    identity: config.podName,
    leaseDurationMs: config.leaseDurationSeconds * 1000,
    renewDeadlineMs: config.leaseRenewSeconds * 1000,
    retryMs: config.leaseRetrySeconds * 1000,
    // Reconciling half a picture would call things missing that are only not listed yet.
    onStarted: () => void Promise.all(informers.map((informer) => informer.synced())).then(lead, () => undefined),
    onLost: deps.onLost,
    log,
    metrics,
  })
  election.start()

  return {
    async stop() {
      const hurry = AbortSignal.timeout(config.shutdownSeconds * 1000)
      leading.abort()
      await Promise.all(Object.values(queues).map((queue) => queue.stop(hurry)))
      await Promise.all(background)
      // Given back only now: until here another leader could have met our writes.
      await election.stop()
      await events.flush()
      await Promise.all(informers.map((informer) => informer.stop()))
      for (const connection of caches.connections.values()) await clients.drop(keyOf(connection))
      await Promise.all([health.stop(), metricsServer.stop()])
    },
  }
}

const informerNames: readonly (keyof Caches)[] = [
  'connections',
  'repositories',
  'managedScans',
  'scanRuns',
  'jobs',
  'pods',
]

/** Anything but a status write of our own. */
function wasChangedByPeople(current: KubeObject | undefined, previous: KubeObject | undefined): boolean {
  const [a, b] = [current?.metadata, previous?.metadata]
  if (a === undefined || b === undefined || a.uid !== b.uid) return true
  const requested = a.annotations?.[annotations.requestedAt] !== b.annotations?.[annotations.requestedAt]
  return requested || a.generation !== b.generation || a.deletionTimestamp !== b.deletionTimestamp
}

function codeHostMetrics(metrics: Metrics) {
  return {
    observeCall(connection: string, _method: string, status: number, seconds: number) {
      metrics.codeHostRequests.inc({ connection, code: status === 0 ? 'none' : String(status) })
      metrics.codeHostSeconds.observe({ connection }, seconds)
    },
    setRemaining(connection: string, remaining: number, limit: number | undefined) {
      metrics.codeHostRemaining.set({ connection }, remaining)
      if (limit !== undefined) metrics.codeHostLimit.set({ connection }, limit)
    },
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const timer = setTimeout(resolve, milliseconds)
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer)
        resolve()
      },
      { once: true },
    )
  })
}
