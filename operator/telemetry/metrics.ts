/**
 * Every metric of the operator. Names follow Prometheus: prefix, base unit, `_total` for counters. Invariant: labels come
 * from small closed sets or from names of ScmConnections; nothing counts per repository or per finding.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, type Registry } from 'prom-client'

const quick = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const slow = [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600]

export type Metrics = ReturnType<typeof createMetrics>

/** Registers all metrics in the given registry, once for each process. */
export function createMetrics(registry: Registry) {
  const registers = [registry]

  function counter<L extends string>(name: string, help: string, labelNames: readonly L[] = []): Counter<L> {
    return new Counter({ name: `scanfleet_${name}`, help, labelNames, registers })
  }
  function gauge<L extends string>(name: string, help: string, labelNames: readonly L[] = []): Gauge<L> {
    return new Gauge({ name: `scanfleet_${name}`, help, labelNames, registers })
  }
  function histogram<L extends string>(name: string, help: string, buckets: number[], labelNames: readonly L[] = []) {
    return new Histogram<L>({ name: `scanfleet_${name}`, help, labelNames, buckets, registers })
  }

  return {
    buildInfo: gauge('build_info', 'Always 1; the version is a label.', ['version', 'process']),
    leader: gauge('leader', '1 while this process leads.'),

    // Controllers and their queues.
    reconciles: counter('reconcile_total', 'Reconciles by outcome: success, requeue or error.', [
      'controller',
      'result',
    ]),
    reconcileErrors: counter('reconcile_errors_total', 'Reconciles that failed and will be tried again.', [
      'controller',
    ]),
    reconcileSeconds: histogram('reconcile_seconds', 'How long a reconcile took.', quick, ['controller']),
    queueDepth: gauge('workqueue_depth', 'Keys that wait for a worker.', ['name']),
    queueAdds: counter('workqueue_adds_total', 'Keys that were added.', ['name']),
    queueRetries: counter('workqueue_retries_total', 'Keys that were put back after an error.', ['name']),
    queueSeconds: histogram('workqueue_queue_seconds', 'How long a key waited for a worker.', quick, ['name']),

    // The API server.
    apiRequests: counter('api_requests_total', 'Requests to the API server; code none had no answer.', [
      'verb',
      'resource',
      'code',
    ]),
    apiRequestSeconds: histogram('api_request_seconds', 'How long the API server took.', quick, ['verb', 'resource']),
    relists: counter('relists_total', 'Lists of a kind by cause: start, expired, unreadable or periodic.', [
      'resource',
      'cause',
    ]),
    watchRestarts: counter('watch_restarts_total', 'Watches that began again by cause: end, error or silent.', [
      'resource',
      'cause',
    ]),
    watchActivity: gauge('watch_last_activity_timestamp_seconds', 'When a watch last heard of the API server.', [
      'resource',
    ]),
    repairs: counter(
      'cache_repairs_total',
      'Differences that a periodic list found, so events that no watch had brought.',
      ['resource'],
    ),
    cachedObjects: gauge('cached_objects', 'Objects in the cache.', ['resource']),
    handlerErrors: counter('handler_errors_total', 'Event handlers that threw.', ['resource']),
    eventsDropped: counter('events_dropped_total', 'Kubernetes events that could not be written.', ['cause']),

    // Scans.
    scansStarted: counter('scans_started_total', 'Attempts whose pod was allowed to start, by reason of the run.', [
      'reason',
    ]),
    scansCompleted: counter('scans_completed_total', 'Runs with a result, by verdict.', ['verdict']),
    scansFailed: counter('scans_failed_total', 'Runs that failed, by reason.', ['reason']),
    scansRunning: gauge('scans_running', 'Scans whose pod may run now.'),
    scanPhaseSeconds: histogram(
      'scan_phase_seconds',
      'How long a phase of a completed run took: waiting, starting (with the fence), clone or scan.',
      slow,
      ['phase'],
    ),

    // Code hosts.
    codeHostRequests: counter('code_host_requests_total', 'Requests to code hosts; code none had no answer.', [
      'connection',
      'code',
    ]),
    codeHostSeconds: histogram('code_host_request_seconds', 'How long a code host took.', quick, ['connection']),
    codeHostLimit: gauge('code_host_limit_requests', 'Requests that the code host allows in its window.', [
      'connection',
    ]),
    codeHostRemaining: gauge('code_host_limit_remaining_requests', 'Requests that are left in the window.', [
      'connection',
    ]),

    // The gateway.
    uploadsAccepted: counter('gateway_uploads_accepted_total', 'Results that were accepted.'),
    uploadsRefused: counter('gateway_uploads_refused_total', 'Results that were refused, by reason.', ['reason']),
    storeSeconds: histogram('store_seconds', 'How long an operation of the findings store took.', quick, ['operation']),
  }
}

/** Memory, CPU and event loop of the process, under the names that dashboards for Node know. */
export function collectProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry })
}
