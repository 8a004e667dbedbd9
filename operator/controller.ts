/**
 * Wires the controller: caches, queues, reconcilers, leader election. Invariant: caches follow the cluster in every replica,
 * and only the leader reconciles; a replica that loses the Lease ends, since a new process is the surest way to start clean.
 */
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import { createNamespaceGuard, keepCertificate } from './background.ts'
import type { ControllerConfig } from './config.ts'
import type { KubeClient } from './kube/client.ts'
import { createEventRecorder } from './kube/events.ts'
import { createLeaderElection } from './kube/leader.ts'
import { keyOf } from './kube/objects.ts'
import { createQueue } from './kube/queue.ts'
import { type Caches, createCaches, holderOf } from './reconcilers/caches.ts'
import { createManagedScanReconciler } from './reconcilers/managed-scan/index.ts'
import { createGate } from './reconcilers/scan-run/admission.ts'
import { createCredentials } from './reconcilers/scan-run/credentials.ts'
import { createGatewayAccess } from './reconcilers/scan-run/gateway-access.ts'
import { createScanRunReconciler } from './reconcilers/scan-run/index.ts'
import { createClients } from './reconcilers/scm-connection/clients.ts'
import { type ConnectionTimes, standardTimes } from './reconcilers/scm-connection/decide.ts'
import { createScmConnectionReconciler } from './reconcilers/scm-connection/index.ts'
import { createTriggers, type Queues } from './reconcilers/triggers.ts'
import { resolveAddresses } from './scm/http/addresses.ts'
import { createLimiters } from './scm/limiters.ts'
import { createScm } from './scm/registry.ts'
import { cachesSynced, createHealthServer, watchesAlive } from './telemetry/health.ts'
import type { Metrics } from './telemetry/metrics.ts'
import { createMetricsServer } from './telemetry/metrics-server.ts'
import type { Redactor } from './telemetry/redact.ts'

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
  /** How often connections are looked at, where the usual does not fit. */
  readonly connectionTimes?: Partial<ConnectionTimes>
}

export interface Controller {
  stop(): Promise<void>
}

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
  const suspects = new Set<string>()
  const triggers = createTriggers(() => ({ caches, queues, gate, credentials, metrics }))
  const { caches, informers } = createCaches({
    client,
    watchNamespaces: config.watchNamespaces,
    scanNamespace: config.scanNamespace,
    listeners: triggers.listeners,
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
  const namespaceGuard = createNamespaceGuard({
    client,
    namespace: config.scanNamespace,
    log,
    onChange: triggers.wakeAllRuns,
  })

  const connections = createQueue({
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
      onReady: triggers.wakeConnection,
      holdsCredentials: credentials.holds,
      takeSuspicion: (key) => suspects.delete(key),
      times: { ...standardTimes, ...deps.connectionTimes },
    }),
    log,
    metrics,
  })
  const managedScans = createQueue({
    name: 'managed-scan',
    workers: workers.managedScans,
    reconcile: createManagedScanReconciler({ client, caches, now }),
    log,
    metrics,
  })
  const scanRuns = createQueue({
    name: 'scan-run',
    workers: workers.scanRuns,
    reconcile: createScanRunReconciler({
      client,
      caches,
      clients,
      credentials,
      gate,
      gateway,
      namespaceFault: namespaceGuard.fault,
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
      suspect(key) {
        suspects.add(key)
        connections.add(key)
      },
    }),
    log,
    metrics,
  })
  const queues: Queues = { connections, managedScans, scanRuns }

  const leading = new AbortController()
  const background: Promise<void>[] = []
  async function lead(): Promise<void> {
    const { signal } = leading
    const { namespace, gatewayTlsSecret: secretName, gatewayService } = config
    const certificate = { client, namespace, secretName, serviceNames: [gatewayService], log, now }
    if (config.manageGatewayTls) background.push(keepCertificate(certificate, gateway.invalidate, signal))
    // Known before the first run is looked at, so that none is told to wait for no reason.
    await namespaceGuard.check()
    if (signal.aborted) return
    background.push(namespaceGuard.watch(signal))
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
      await credentials.settled()
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
