/** The part of GitHub's REST API that a client of this project calls, with GitHub's own rules of who sees what. */
import { type ApiCall, ApiRefusal, type ApiReply, notFound } from './http.ts'
import {
  appReply,
  branchesReply,
  fullRepositoryReply,
  installationReply,
  refReply,
  repositoryReply,
  tokenReply,
  userReply,
} from './replies.ts'
import type { HostedRepository, HostState, TokenRecord } from './state.ts'
import { authenticate, authenticateApp, type MintRequest, mintToken, requireRepository, same, sees } from './tokens.ts'

export interface Route {
  readonly method: string
  /** As GitHub's API description writes it. */
  readonly template: string
  readonly as: 'App' | 'Token' | 'Anyone'
  handle(state: HostState, call: ApiCall, token: TokenRecord | undefined): Promise<ApiReply>
}

export const routes: readonly Route[] = [
  { method: 'GET', template: '/app', as: 'App', handle: async (state, call) => ok(appReply(state, call)) },
  { method: 'GET', template: '/orgs/{org}/installation', as: 'App', handle: findInstallation('org', 'Organization') },
  {
    method: 'GET',
    template: '/users/{username}/installation',
    as: 'App',
    handle: findInstallation('username', 'User'),
  },
  { method: 'POST', template: '/app/installations/{installation_id}/access_tokens', as: 'App', handle: mint },
  { method: 'DELETE', template: '/installation/token', as: 'Token', handle: revoke },
  { method: 'GET', template: '/installation/repositories', as: 'Token', handle: installationRepositories },
  { method: 'GET', template: '/user', as: 'Token', handle: currentUser },
  { method: 'GET', template: '/users/{username}', as: 'Anyone', handle: someUser },
  { method: 'GET', template: '/orgs/{org}/repos', as: 'Anyone', handle: organizationRepositories },
  { method: 'GET', template: '/users/{username}/repos', as: 'Anyone', handle: userRepositories },
  { method: 'GET', template: '/user/repos', as: 'Token', handle: ownRepositories },
  { method: 'GET', template: '/repos/{owner}/{repo}', as: 'Anyone', handle: oneRepository },
  { method: 'GET', template: '/repos/{owner}/{repo}/branches', as: 'Anyone', handle: branches },
  { method: 'GET', template: '/repos/{owner}/{repo}/git/ref/{ref}', as: 'Anyone', handle: ref },
]

/** Finds the route, checks who calls, and answers. Throws ApiRefusal. */
export async function answer(state: HostState, route: Route, call: ApiCall): Promise<ApiReply> {
  if (route.as === 'App') {
    authenticateApp(state, call.headers.authorization)
    return route.handle(state, call, undefined)
  }
  const token = authenticate(state, call.headers.authorization)
  if (!token && route.as === 'Token') throw new ApiRefusal(401, 'Requires authentication')
  return route.handle(state, call, token)
}

function findInstallation(parameter: string, type: string): Route['handle'] {
  return async (state, call) => {
    const account = state.accounts.find((one) => same(one.login, call.parameters[parameter] ?? '') && one.type === type)
    const installation = state.installations.find((one) => one.account === account?.login)
    if (!installation) throw notFound()
    return ok(installationReply(state, installation, call))
  }
}

async function mint(state: HostState, call: ApiCall): Promise<ApiReply> {
  const installation = state.installations.find(({ id }) => String(id) === call.parameters['installation_id'])
  if (!installation) throw notFound()
  const stateless = call.headers['x-github-stateless-s2s-token'] === 'enabled'
  const record = mintToken(state, installation, (call.body ?? {}) as MintRequest, stateless)
  return { status: 201, body: await tokenReply(state, record, call) }
}

async function revoke(_state: HostState, _call: ApiCall, token: TokenRecord | undefined): Promise<ApiReply> {
  if (token?.kind !== 'Installation') throw new ApiRefusal(403, 'Resource not accessible by personal access token')
  token.revoked = true
  return { status: 204 }
}

async function installationRepositories(
  state: HostState,
  call: ApiCall,
  token: TokenRecord | undefined,
): Promise<ApiReply> {
  if (token?.kind !== 'Installation')
    throw new ApiRefusal(
      403,
      'You must authenticate with an installation access token in order to list repositories for an installation.',
    )
  const visible = state.repositories.filter((repository) => sees(token, repository))
  const { slice, headers } = page(visible, call)
  const repositories = await Promise.all(slice.map((repository) => repositoryReply(state, repository, call)))
  return { status: 200, headers, body: { total_count: visible.length, repositories } }
}

async function currentUser(state: HostState, call: ApiCall, token: TokenRecord | undefined): Promise<ApiReply> {
  if (token?.kind === 'Installation') throw new ApiRefusal(403, 'Resource not accessible by integration')
  const account = state.accounts.find(({ login }) => login === token?.login)
  if (!token || !account) throw notFound()
  const headers = {
    ...(token.kind === 'Classic' ? { 'x-oauth-scopes': token.scopes.join(', ') } : {}),
    ...(token.expiresAt ? { 'github-authentication-token-expiration': expiryHeader(token.expiresAt) } : {}),
  }
  return { status: 200, headers, body: userReply(account, call) }
}

async function someUser(state: HostState, call: ApiCall): Promise<ApiReply> {
  const account = state.accounts.find(({ login }) => same(login, call.parameters['username'] ?? ''))
  if (!account) throw notFound()
  return ok(userReply(account, call))
}

async function organizationRepositories(
  state: HostState,
  call: ApiCall,
  token: TokenRecord | undefined,
): Promise<ApiReply> {
  const account = state.accounts.find(
    (one) => same(one.login, call.parameters['org'] ?? '') && one.type === 'Organization',
  )
  if (!account) throw notFound()
  return listing(state, call, (one) => one.owner === account.login && sees(token, one))
}

async function userRepositories(state: HostState, call: ApiCall): Promise<ApiReply> {
  const account = state.accounts.find(({ login }) => same(login, call.parameters['username'] ?? ''))
  if (!account) throw notFound()
  return listing(state, call, (one) => one.owner === account.login && !one.private)
}

async function ownRepositories(state: HostState, call: ApiCall, token: TokenRecord | undefined): Promise<ApiReply> {
  return listing(state, call, (one) => one.owner === token?.login && sees(token, one))
}

async function oneRepository(state: HostState, call: ApiCall, token: TokenRecord | undefined): Promise<ApiReply> {
  return ok(await fullRepositoryReply(state, repositoryOf(state, call, token, 'metadata'), call))
}

async function branches(state: HostState, call: ApiCall, token: TokenRecord | undefined): Promise<ApiReply> {
  const all = await branchesReply(repositoryOf(state, call, token, 'contents'), call)
  const { slice, headers } = page(all, call)
  return { status: 200, headers, body: slice }
}

async function ref(state: HostState, call: ApiCall, token: TokenRecord | undefined): Promise<ApiReply> {
  const repository = repositoryOf(state, call, token, 'contents')
  const branch = /^heads\/(.+)$/.exec(call.parameters['ref'] ?? '')?.[1]
  if ((await repository.git.facts()).branches.size === 0) throw new ApiRefusal(409, 'Git Repository is empty.')
  const body = branch === undefined ? undefined : await refReply(repository, branch, call)
  if (!body) throw notFound()
  return ok(body)
}

function repositoryOf(
  state: HostState,
  call: ApiCall,
  token: TokenRecord | undefined,
  permission: string,
): HostedRepository {
  return requireRepository(state, token, call.parameters['owner'] ?? '', call.parameters['repo'] ?? '', permission)
}

async function listing(state: HostState, call: ApiCall, chosen: (one: HostedRepository) => boolean): Promise<ApiReply> {
  const { slice, headers } = page(state.repositories.filter(chosen), call)
  const body = await Promise.all(slice.map((repository) => repositoryReply(state, repository, call)))
  return { status: 200, headers, body }
}

/** One page, and links as GitHub gives them: none on a single page. */
export function page<T>(items: readonly T[], call: ApiCall): { slice: T[]; headers: Record<string, string> } {
  const size = Math.min(Math.max(Number(call.query.get('per_page') ?? 30), 1), 100)
  const number = Math.max(Number(call.query.get('page') ?? 1), 1)
  const last = Math.max(Math.ceil(items.length / size), 1)
  const link = (to: number, rel: string) => {
    const query = new URLSearchParams(call.query)
    query.set('page', String(to))
    return `<${call.apiUrl}${call.path}?${query}>; rel="${rel}"`
  }
  const links = [
    ...(number > 1 ? [link(number - 1, 'prev')] : []),
    ...(number < last ? [link(number + 1, 'next'), link(last, 'last')] : []),
    ...(number > 1 ? [link(1, 'first')] : []),
  ]
  return {
    slice: items.slice((number - 1) * size, number * size),
    headers: links.length > 0 ? { link: links.join(', ') } : {},
  }
}

function expiryHeader(at: Date): string {
  return `${at.toISOString().slice(0, 19).replace('T', ' ')} UTC`
}

function ok(body: unknown): ApiReply {
  return { status: 200, body }
}
