/** Which permissions a connection needs for its features, and which of them a credential lacks. Pure. */
import type { ScmConnection } from '../../api/kinds.ts'

type Spec = Pick<ScmConnection['spec'], 'access' | 'features'>
type Feature = NonNullable<Spec['features']>[number]
type Level = 'read' | 'write'

/** Permissions of a GitHub App by feature. Reading metadata and code is needed by every connection. */
const appNeeds: Readonly<Record<Feature, Readonly<Record<string, Level>>>> = {
  Discovery: {},
  CommitStatus: { statuses: 'write' },
  Checks: { checks: 'write' },
  Comments: { pull_requests: 'write' },
  // Deliveries come by the App's own webhook, for which no permission is needed.
  Webhooks: {},
  Membership: { members: 'read' },
}

/** The App permissions that the connection needs, by name. */
export function neededPermissions(spec: Spec): Readonly<Record<string, Level>> {
  const needed: Record<string, Level> = { metadata: 'read', contents: spec.access === 'ReadWrite' ? 'write' : 'read' }
  for (const feature of spec.features ?? []) Object.assign(needed, appNeeds[feature])
  return needed
}

/** Needed permissions that the installation does not have, such as `checks:write`. */
export function missingPermissions(spec: Spec, granted: Readonly<Record<string, string>>): string[] {
  return Object.entries(neededPermissions(spec))
    .filter(([name, level]) => !covers(granted[name], level))
    .map(([name, level]) => `${name}:${level}`)
}

/** The part of what is needed that the installation has: what the operator's own token is narrowed to. */
export function grantedPermissions(spec: Spec, granted: Readonly<Record<string, string>>): Record<string, Level> {
  return Object.fromEntries(
    Object.entries(neededPermissions(spec)).filter(([name, level]) => covers(granted[name], level)),
  )
}

/** Scopes of a classic token that each feature can live with, the usual one first. */
const classicNeeds: Readonly<Record<Feature, readonly string[]>> = {
  Discovery: [],
  CommitStatus: ['repo:status', 'repo'],
  Checks: ['checks:write, which only a GitHub App can have'],
  Comments: ['repo', 'public_repo'],
  Webhooks: ['admin:org_hook', 'write:repo_hook', 'admin:repo_hook'],
  Membership: ['read:org', 'write:org', 'admin:org'],
}

/** Scopes that the token lacks. A missing `repo` alone is no lack: such a token reads public repositories. */
export function missingScopes(spec: Spec, granted: readonly string[]): string[] {
  const has = new Set(granted)
  const missing = (spec.features ?? [])
    .map((feature) => classicNeeds[feature])
    .filter((choices) => choices.length > 0 && !choices.some((scope) => has.has(scope)))
    .map((choices) => choices[0] as string)
  if (spec.access === 'ReadWrite' && !has.has('repo') && !has.has('public_repo')) missing.unshift('repo')
  return [...new Set(missing)]
}

/** `repo, read:org` as GitHub writes it in X-OAuth-Scopes. */
export function scopesIn(header: string): string[] {
  return header
    .split(',')
    .map((scope) => scope.trim())
    .filter((scope) => scope !== '')
}

function covers(granted: string | undefined, needed: Level): boolean {
  return granted === 'write' || granted === 'admin' || granted === needed
}
