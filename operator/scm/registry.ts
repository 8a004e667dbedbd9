/** Which code host has which client. Adding a provider means a folder beside this file and one line in the map. */
import type { Provider } from '../api/kinds.ts'
import type { ScmDeps, ScmFactory } from './factory.ts'
import { createGitHub } from './github/index.ts'
import { createLimiters } from './limiters.ts'
import { type Scm, ScmError, type ScmOptions } from './types.ts'

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
