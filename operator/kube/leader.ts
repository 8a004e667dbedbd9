/**
 * Leader election by a Lease. Invariant: a process calls itself leader only while its last successful renewal is younger
 * than the lease; another process takes over only after it has itself seen no change for the whole duration, so that
 * nobody's clock has to be right. A paused leader is fenced by names and preconditions, not by this.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Metrics } from '../telemetry/metrics.ts'
import type { KubeClient } from './client.ts'
import { microTimestamp } from './conditions.ts'
import { isAlreadyExists, isConflict } from './errors.ts'
import type { Lease } from './objects.ts'
import { apiVersionOf, resources } from './resources.ts'

export interface LeaderElection {
  start(): void
  /** Gives the Lease back when it is held, so that another process need not wait. Does not call onLost. */
  stop(): Promise<void>
  readonly isLeader: boolean
}

export interface LeaderOptions {
  readonly client: KubeClient
  readonly namespace: string
  readonly name: string
  /** Unique for each process, for example the pod's name. */
  readonly identity: string
  /** How long others wait after the last sign of life. */
  readonly leaseDurationMs: number
  /** How long the leader tries to renew before it gives up; shorter than the duration. */
  readonly renewDeadlineMs: number
  /** How often the Lease is tried or renewed. */
  readonly retryMs: number
  readonly onStarted: () => void
  /** Called once when leadership is lost; all work has to end, best by ending the process. */
  readonly onLost: () => void
  readonly log: Logger
  readonly metrics: Metrics
}

export function createLeaderElection(options: LeaderOptions): LeaderElection {
  const { client, namespace, name, identity, log, metrics } = options
  const { leaseDurationMs, renewDeadlineMs, retryMs } = options
  if (renewDeadlineMs >= leaseDurationMs || retryMs >= renewDeadlineMs) {
    throw new RangeError(
      'the lease duration must be longer than the renew deadline, and that longer than the retry time',
    )
  }
  let held: Lease | undefined
  let renewedAt = Number.NEGATIVE_INFINITY
  let leading = false
  // What we saw of another holder, and when it last changed by our own clock.
  let observed: { readonly version: string; readonly at: number } | undefined
  let running: { readonly controller: AbortController; readonly done: Promise<void> } | undefined

  function specOf(transitions: number, acquireTime: string, now: string): NonNullable<Lease['spec']> {
    const leaseDurationSeconds = Math.max(1, Math.ceil(leaseDurationMs / 1000))
    return {
      holderIdentity: identity,
      leaseDurationSeconds,
      acquireTime,
      renewTime: now,
      leaseTransitions: transitions,
    }
  }

  /** Each write names the version it was decided on, so of two candidates one gets a Conflict. */
  async function write(current: Lease, spec: NonNullable<Lease['spec']>, signal?: AbortSignal): Promise<Lease> {
    const { resourceVersion } = current.metadata
    const patch = { metadata: { resourceVersion }, spec }
    const o = { type: 'merge' as const, fieldManager: 'scanfleet-leader', ...(signal && { signal }) }
    return await client.patch(resources.leases, namespace, name, patch, o)
  }

  async function tryOnce(signal: AbortSignal): Promise<void> {
    const begin = performance.now()
    const now = microTimestamp(new Date())
    if (leading && held?.spec !== undefined) {
      const { leaseTransitions = 0, acquireTime = now } = held.spec
      take(await write(held, specOf(leaseTransitions, acquireTime, now), signal), begin)
      return
    }
    const current = await client.get(resources.leases, namespace, name, { signal })
    if (current === undefined) {
      const manifest = { apiVersion: apiVersionOf(resources.leases), kind: 'Lease', metadata: { name, namespace } }
      const spec = specOf(0, now, now)
      take(await client.create(resources.leases, namespace, { ...manifest, spec }, { signal }), begin)
      return
    }
    const { holderIdentity = '', leaseTransitions = 0 } = current.spec ?? {}
    const mine = holderIdentity === identity
    if (holderIdentity !== '' && !mine && !isExpired(current)) return
    take(await write(current, specOf(leaseTransitions + (mine ? 0 : 1), now, now), signal), begin)
  }

  function isExpired(current: Lease): boolean {
    const { resourceVersion } = current.metadata
    if (observed?.version !== resourceVersion) {
      observed = { version: resourceVersion, at: performance.now() }
      return false
    }
    const promised = (current.spec?.leaseDurationSeconds ?? 0) * 1000
    return performance.now() - observed.at > Math.max(promised, leaseDurationMs)
  }

  /** The time counts from before the request, so that it is never younger than what others saw. */
  function take(lease: Lease, begin: number): void {
    held = lease
    renewedAt = begin
    if (leading) return
    leading = true
    metrics.leader.set(1)
    log.info({ identity, lease: name }, 'became leader')
    options.onStarted()
  }

  function lose(): void {
    leading = false
    held = undefined
    metrics.leader.set(0)
    log.error({ identity, lease: name }, 'lost leadership')
    options.onLost()
  }

  async function run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const left = leading ? renewedAt + renewDeadlineMs - performance.now() : renewDeadlineMs
        // Also true after a pause of the whole process, before anything is written.
        if (left <= 0) return lose()
        await tryOnce(AbortSignal.any([signal, AbortSignal.timeout(Math.ceil(left))]))
      } catch (error) {
        if (signal.aborted) return
        if (isConflict(error) || isAlreadyExists(error)) {
          // Somebody wrote in between; as leader only a person or a usurper can have done that, so look who holds it now.
          if (leading && !(await stillOurs(signal))) return lose()
        } else log.warn({ identity, lease: name, err: error }, 'the lease could not be tried')
      }
      await sleep(retryMs * (leading ? 1 : 1 + Math.random() / 5), undefined, { signal }).catch(() => undefined)
    }
  }

  async function stillOurs(signal: AbortSignal): Promise<boolean> {
    try {
      const current = await client.get(resources.leases, namespace, name, { signal })
      if (current?.spec?.holderIdentity !== identity) return false
      held = current
      return true
    } catch {
      // No answer is no loss yet: the deadline decides.
      return true
    }
  }

  async function release(): Promise<void> {
    if (held === undefined || !leading) return
    const lease = held
    leading = false
    held = undefined
    metrics.leader.set(0)
    const now = microTimestamp(new Date())
    const spec = { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: now }
    try {
      await write(lease, spec, AbortSignal.timeout(Math.ceil(retryMs)))
      log.info({ identity, lease: name }, 'gave the lease back')
    } catch (error) {
      log.warn({ identity, lease: name, err: error }, 'the lease could not be given back and will expire')
    }
  }

  return {
    start() {
      if (running !== undefined) return
      const controller = new AbortController()
      running = { controller, done: run(controller.signal) }
    },
    async stop() {
      if (running === undefined) return
      running.controller.abort()
      await running.done
      running = undefined
      await release()
    },
    get isLeader() {
      return leading && performance.now() - renewedAt < leaseDurationMs
    },
  }
}
