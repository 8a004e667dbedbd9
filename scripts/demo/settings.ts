/** One job: what a person asked the demo for by environment variables. Invariant: nothing else in the demo reads them. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** Where to install: a cluster of our own on this machine, or an existing one that was named. */
export type Target =
  | { readonly kind: 'Local' }
  | { readonly kind: 'Context'; readonly context: string; readonly registry?: string; readonly address?: string }

/** What to scan: the demo code host on this machine, or the real GitHub. */
export type Source =
  | { readonly kind: 'DemoHost'; readonly repositories: readonly string[] }
  | { readonly kind: 'GitHub'; readonly token: string; readonly organization: string }

export interface Settings {
  readonly target: Target
  readonly source: Source
  /** False for clusters whose nodes cannot give a pod a user namespace of its own. */
  readonly userNamespaces: boolean
}

/** Places and names of the demo; `make demo-down` finds everything again by them. */
export const root = join(import.meta.dirname, '..', '..')
export const demoFolder = join(root, '.local', 'demo')
export const clusterName = 'demo'
export const codeHost = { name: 'github.demo.test', port: 7443 } as const
export const namespaces = { operator: 'scanfleet', scans: 'scanfleet-scans', team: 'scanfleet-demo' } as const
export const release = 'scanfleet'

/** @throws a sentence for people when the variables do not fit together. */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
  return { target: readTarget(env), source: readSource(env), userNamespaces: env['USER_NAMESPACES'] !== 'false' }
}

function readTarget(env: NodeJS.ProcessEnv): Target {
  const context = env['SCANFLEET_CONTEXT']
  if (!context) return { kind: 'Local' }
  const registry = env['SCANFLEET_REGISTRY']?.replace(/\/+$/, '')
  const address = env['SCANFLEET_ADDRESS']
  return { kind: 'Context', context, ...(registry ? { registry } : {}), ...(address ? { address } : {}) }
}

function readSource(env: NodeJS.ProcessEnv): Source {
  const token = env['GITHUB_TOKEN']
  const organization = env['GITHUB_ORG']
  const repositories = (env['REPOS'] ?? '').split(/\s+/).filter((folder) => folder !== '')
  // Many machines carry a GITHUB_TOKEN for other purposes: only the organization says that GitHub is meant.
  if (!organization) return { kind: 'DemoHost', repositories: repositories.map(toRepository) }
  if (!token) throw new Error('GITHUB_ORG is set, so GITHUB_TOKEN has to be too: a token that reads its repositories.')
  if (repositories.length > 0) {
    throw new Error('REPOS is for the demo code host, and GITHUB_ORG for the real GitHub: set one of them.')
  }
  return { kind: 'GitHub', token, organization }
}

function toRepository(folder: string): string {
  const path = resolve(folder)
  if (existsSync(join(path, '.git')) || existsSync(join(path, 'HEAD'))) return path
  throw new Error(`REPOS names ${folder}, which is no git repository.`)
}
