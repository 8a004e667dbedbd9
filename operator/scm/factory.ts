/** What the client of a code host is made from, whichever host it is. */
import type { Resolve } from './http/addresses.ts'
import type { HttpMetrics } from './http/client.ts'
import type { Limiter } from './http/limiter.ts'
import type { Timeouts } from './http/transport.ts'
import type { Limiters } from './limiters.ts'
import type { Scm, ScmOptions } from './types.ts'

export interface ScmDeps {
  /** namespace/name of the ScmConnection, for metrics. */
  readonly connection: string
  /** Networks in which code hosts may lie although they are not public. */
  readonly allowedPrivateNetworks: readonly string[]
  readonly log: { warn(fields: object, message: string): void }
  readonly metrics?: HttpMetrics
  readonly now?: () => Date
  /** Limiters by credential. Shared, connections with one credential share its budget, and a new client its pauses. */
  readonly limiters?: Limiters
  /** Answers for host names; the system's resolver if absent. */
  readonly resolve?: Resolve
  /** Address of GitHub's public API; https://api.github.com if absent. */
  readonly publicApiUrl?: string
  readonly timing?: ScmTiming
}

/** Waits, in milliseconds, where the usual ones do not fit. */
export interface ScmTiming {
  readonly timeouts?: Partial<Timeouts>
  readonly retryBaseMs?: number
  readonly freshTokenDelaysMs?: readonly number[]
}

/** What a provider's factory is given. */
export type ScmFactoryDeps = ScmDeps & { readonly limiter: Limiter; readonly now: () => Date }
export type ScmFactory = (options: ScmOptions, deps: ScmFactoryDeps) => Scm
