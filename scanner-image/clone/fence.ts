/**
 * Proves that the network policy of this scan is in force before a credential is used: a new pod stands in the open for
 * a moment, so hoping is not enough. Invariant: `proveFence` resolves only when, in one and the same round, every
 * forbidden endpoint refused or ignored us and the allowed one answered.
 */
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClonePlan } from '../../operator/scan/contract/plan.ts'
import { ScannerFailure } from '../shared/failure.ts'

type Endpoint = ClonePlan['fence']['allowed']

/** Milliseconds: between two rounds; for a forbidden endpoint to answer; for the code host to answer. */
const pace = { round: 50, forbidden: 250, allowed: 1000 } as const

/**
 * Resolves with the time of the proof.
 * @throws ScannerFailure IsolationNotEnforced, CodeHostUnreachable
 */
export async function proveFence(fence: ClonePlan['fence'], signal: AbortSignal): Promise<Date> {
  const deadline = performance.now() + fence.timeoutSeconds * 1000
  for (;;) {
    const [open, answered] = await Promise.all([
      Promise.all(fence.forbidden.map((endpoint) => reaches(endpoint, pace.forbidden, signal))),
      reaches(fence.allowed, pace.allowed, signal),
    ])
    signal.throwIfAborted()
    const leak = fence.forbidden.find((_, index) => open[index])
    if (leak === undefined && answered) return new Date()
    if (performance.now() >= deadline) throw unproven(fence, leak)
    await sleep(pace.round, undefined, { signal })
  }
}

function unproven(fence: ClonePlan['fence'], leak: Endpoint | undefined): ScannerFailure {
  if (leak !== undefined) {
    return new ScannerFailure(
      'IsolationNotEnforced',
      `${leak.host}:${leak.port} is forbidden to this pod and still answered after ${fence.timeoutSeconds} s: the cluster's network plugin does not enforce NetworkPolicy. Nothing was cloned.`,
    )
  }
  const { host, port } = fence.allowed
  return new ScannerFailure('CodeHostUnreachable', `${host}:${port} did not answer within ${fence.timeoutSeconds} s.`)
}

/** Whether a TCP connection comes up in time. Nothing is sent over it. */
function reaches(endpoint: Endpoint, milliseconds: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: endpoint.host, port: endpoint.port, signal })
    const settle = (answered: boolean): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(answered)
    }
    const timer = setTimeout(settle, milliseconds, false)
    socket.once('connect', () => settle(true))
    socket.once('error', () => settle(false))
  })
}
