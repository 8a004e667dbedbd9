/** The test of a connection: who the credential is, what it may do, and that it really lists the owner's repositories. */
import type { ScmConnection } from '../../api/kinds.ts'
import type { ConnectionReport } from '../types.ts'
import type { Caller, GitHubClient } from './client.ts'
import { acceptedPermissions, organizationsLeftOut, Refusal } from './failures.ts'
import type { AppIdentity, Identity } from './identity.ts'
import type { Listing, ListingPage } from './listing.ts'
import { expiryOf } from './map.ts'
import { branchesSchema, userSchema } from './schema.ts'
import { missingPermissions, missingScopes, scopesIn } from './scopes.ts'

interface Parts {
  readonly spec: ScmConnection['spec']
  readonly client: GitHubClient
  readonly identity: Identity
  readonly listing: (caller: Caller) => Promise<Listing>
  readonly now: () => Date
}

export async function testApp(parts: Parts & { readonly app: AppIdentity }, caller: Caller): Promise<ConnectionReport> {
  const installation = await parts.app.installation(caller, { fresh: true })
  const list = await parts.listing(caller)
  await list.fetch(list.firstUrl, caller)
  return {
    account: installation.app_slug,
    kind: 'App',
    granted: Object.entries(installation.permissions).map(([name, level]) => `${name}:${level}`),
    missing: missingPermissions(parts.spec, installation.permissions),
    warnings: [],
  }
}

export async function testToken(parts: Parts, caller: Caller): Promise<ConnectionReport> {
  const me = await parts.identity.run(caller, (request) => parts.client.read(userSchema, request('GET /user')))
  const list = await parts.listing(caller)
  const page = await list.fetch(list.firstUrl, caller)
  const scopes = me.headers.get('x-oauth-scopes')
  const expiresAt = expiryOf(me.headers.get('github-authentication-token-expiration'), parts.now())
  const common = { account: me.data.login, ...(expiresAt ? { expiresAt } : {}) }
  // Only classic tokens have scopes; what a fine-grained one may do shows when it is tried.
  if (scopes === null) {
    const missing = await probeContents(parts, page, caller)
    return { ...common, kind: 'FineGrainedToken', missing, warnings: warningsOf(list, page, true) }
  }
  const granted = scopesIn(scopes)
  const privateToo = granted.includes('repo')
  const missing = missingScopes(parts.spec, granted)
  return { ...common, kind: 'ClassicToken', granted, missing, warnings: warningsOf(list, page, privateToo) }
}

/** Reading code of a public repository proves nothing, so a private one is asked when there is one. */
async function probeContents(parts: Parts, page: ListingPage, caller: Caller): Promise<string[]> {
  const chosen = page.repositories.find((repository) => repository.private)
  if (!chosen) return []
  const [owner = '', repo = ''] = chosen.full_name.split('/')
  try {
    await parts.identity.run(caller, (request) =>
      parts.client.read(branchesSchema, request('GET /repos/{owner}/{repo}/branches', { owner, repo, per_page: 1 })),
    )
    return []
  } catch (error) {
    if (!(error instanceof Refusal) || error.status !== 403 || !/not accessible by/i.test(error.text)) throw error
    const needed = acceptedPermissions(error.headers)
    return needed.length > 0 ? needed : ['contents:read']
  }
}

function warningsOf(list: Listing, page: ListingPage, privateToo: boolean): string[] {
  const left = organizationsLeftOut(page.headers)
  return [
    ...(left > 0
      ? [`GitHub left out the repositories of ${left} organization(s) that want single sign-on for the token.`]
      : []),
    ...(list.publicOnly ? ['The token belongs to another account, so that only public repositories are seen.'] : []),
    ...(privateToo ? [] : ['The token lacks the scope repo, so that only public repositories are seen.']),
  ]
}
