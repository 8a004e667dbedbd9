/** One limiter for each credential of a process, since a code host counts by credential and not by connection. */
import { createHash } from 'node:crypto'
import { createLimiter, type Limiter } from './http/limiter.ts'
import type { Credentials, ScmOptions } from './types.ts'

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
