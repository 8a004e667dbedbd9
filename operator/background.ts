/** What the leader does beside its queues, again and again until it ends: it looks after the scan namespace and the certificate. */
import type { Logger } from 'pino'
import type { KubeClient } from './kube/client.ts'
import { readNamespaceFault } from './scan/isolation.ts'
import { ensureGatewayCertificate, type GatewayCertificateOptions } from './tls/index.ts'

const namespaceCheckMs = 60_000
const certificateRetryMs = 10_000
const certificateLookMs = 6 * 3_600_000

export interface NamespaceGuard {
  /** Why no scan may start; undefined when all is well. */
  fault(): string | undefined
  /** Looks once. A failure to look keeps what was known. */
  check(): Promise<void>
  /** Looks from time to time until the signal aborts. */
  watch(signal: AbortSignal): Promise<void>
}

export interface NamespaceGuardOptions {
  readonly client: KubeClient
  readonly namespace: string
  readonly log: Logger
  /** Called when the answer has changed. */
  readonly onChange: () => void
}

export function createNamespaceGuard({ client, namespace, log, onChange }: NamespaceGuardOptions): NamespaceGuard {
  let fault: string | undefined = 'The scan namespace has not been checked yet.'

  async function check(): Promise<void> {
    const before = fault
    try {
      fault = await readNamespaceFault(client, namespace)
    } catch (error) {
      log.warn({ namespace, err: error }, 'the scan namespace could not be checked')
      return
    }
    if (fault === before) return
    if (fault === undefined) log.info({ namespace }, 'the scan namespace isolates scans')
    else log.error({ namespace, fault }, 'the scan namespace is not safe, no scan is started')
    onChange()
  }

  return {
    fault: () => fault,
    check,
    async watch(signal) {
      while (!signal.aborted) {
        await pause(namespaceCheckMs, signal)
        if (!signal.aborted) await check()
      }
    },
  }
}

/** Makes and renews the gateway's certificate until the signal aborts. `onRenewed` is called after each look. */
export async function keepCertificate(
  options: GatewayCertificateOptions & { readonly now: () => Date; readonly log: Logger },
  onRenewed: () => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    let waitMs = certificateRetryMs
    try {
      const { renewAt } = await ensureGatewayCertificate(options)
      onRenewed()
      waitMs = Math.max(certificateRetryMs, Math.min(renewAt.getTime() - options.now().getTime(), certificateLookMs))
    } catch (error) {
      options.log.error({ err: error }, 'the certificate of the gateway could not be made')
    }
    await pause(waitMs, signal)
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const timer = setTimeout(end, milliseconds)
    function end(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    signal.addEventListener('abort', end)
  })
}
