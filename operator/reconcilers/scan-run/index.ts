/** The reconciler of ScanRuns: observe → decide → apply for one key. */
import type { Logger } from 'pino'
import type { KubeClient } from '../../kube/client.ts'
import type { EventRecorder } from '../../kube/events.ts'
import type { Reconcile } from '../../kube/queue.ts'
import type { Endpoint, ScanSettings } from '../../scan/attempt.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import type { Redactor } from '../../telemetry/redact.ts'
import type { Caches } from '../caches.ts'
import type { Clients } from '../scm-connection/clients.ts'
import type { Gate } from './admission.ts'
import { apply } from './apply.ts'
import type { Credentials } from './credentials.ts'
import { decide } from './decide.ts'
import { observe } from './observe.ts'

/** Where scan pods hand in their results, and what they must not reach. */
export interface GatewayAccess {
  endpoint(): Promise<Endpoint>
  /** PEM certificates that the gateway's certificate is trusted by. */
  ca(): Promise<string>
  /** Listeners that answer, and that a fenced pod cannot reach. */
  forbidden(): Promise<{ host: string; port: number }[]>
}

export interface ScanRunDeps {
  readonly client: KubeClient
  readonly caches: Caches
  readonly clients: Clients
  readonly credentials: Credentials
  readonly gate: Gate
  readonly gateway: GatewayAccess
  /** Why scans must not start in the scan namespace; undefined when they may. */
  readonly namespaceFault: () => string | undefined
  /** The addresses of a host that may be used. */
  readonly resolve: (host: string) => Promise<readonly string[]>
  readonly settings: ScanSettings
  readonly events: EventRecorder
  readonly redactor: Redactor
  readonly log: Logger
  readonly metrics: Metrics
  readonly now: () => Date
  /** A call of this connection was refused, so it is tested again soon. */
  readonly suspect: (connection: string) => void
}

export function createScanRunReconciler(deps: ScanRunDeps): Reconcile {
  return async (key, signal) => {
    const snapshot = observe(key, deps.caches, {
      isAdmitted: deps.gate.isAdmitted,
      isReleased: deps.credentials.isReleased,
      namespaceFault: deps.namespaceFault(),
    })
    return apply(decide(snapshot, deps.now()), snapshot, deps, signal)
  }
}
