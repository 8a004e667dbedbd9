/** Which code host has which client. Adding a provider means a folder beside this file and one line in the map. */
import { createHash } from 'node:crypto'
import type { Provider } from '../api/kinds.ts'
import { createGitHub } from './github/index.ts'
import type { Resolve } from './http/addresses.ts'
import type { HttpMetrics } from './http/client.ts'
import { createLimiter, type Limiter } from './http/limiter.ts'
import type { Timeouts } from './http/transport.ts'
import { type Credentials, type Scm, ScmError, type ScmOptions } from './types.ts'

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

const factories: Readonly<Partial<Record<Provider, ScmFactory>>> = {
  GitHub: createGitHub,
  GitHubEnterpriseServer: createGitHub,
}

/** The client of one connection. Throws ScmError `ProviderNotAvailable`, `PrivateKeyInvalid` or `CaInvalid`. */
export function createScm(options: ScmOptions, deps: ScmDeps): Scm {
  const factory = factories[options.spec.provider]
  if (!factory)
    throw new ScmError(
      'ProviderNotAvailable',
      `This version has no client for ${options.spec.provider}. It has one for ${Object.keys(factories).join(' and ')}.`,
    )
  const now = deps.now ?? (() => new Date())
  const limiters = deps.limiters ?? createLimiters({ now })
  return factory(options, { ...deps, now, limiter: limiters.of(options) })
}

/** The limiters of one process, made once and passed to every `createScm`. */
export interface Limiters {
  of(options: ScmOptions): Limiter
}

export function createLimiters(options: { readonly now?: () => Date } = {}): Limiters {
  const known = new Map<string, WeakRef<Limiter>>()
  return {
    of({ spec, credentials }) {
      const key = createHash('sha256')
        .update(JSON.stringify([spec.url ?? spec.provider, ...identityOf(credentials, spec.owner)]))
        .digest('hex')
      const limiter = known.get(key)?.deref() ?? createLimiter(options)
      known.set(key, new WeakRef(limiter))
      for (const [other, reference] of known) if (!reference.deref()) known.delete(other)
      return limiter
    },
  }
}

/** A GitHub App has a budget for each installation, a token has one. */
function identityOf(credentials: Credentials, owner: ScmOptions['spec']['owner']): unknown[] {
  return credentials.kind === 'Token' ? [credentials.token] : [credentials.appId, owner]
}
