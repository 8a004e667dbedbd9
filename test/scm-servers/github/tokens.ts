/** Who may do what: the App's signatures, tokens of people, installation tokens in both formats, narrowing, revocation. */
import { createPublicKey, createSign, randomBytes, verify } from 'node:crypto'
import { ApiRefusal, notFound } from './http.ts'
import type { HostedRepository, HostState, Installation, Permissions, TokenRecord } from './state.ts'

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

function random(length: number): string {
  return [...randomBytes(length)].map((byte) => letters[byte % letters.length]).join('')
}

export interface IssueOptions {
  /** The token itself, to have the same one after a restart; a new one if absent. */
  readonly token?: string
  readonly kind?: 'Classic' | 'FineGrained'
  readonly login?: string
  readonly scopes?: readonly string[]
  readonly permissions?: Permissions
  readonly repositoryIds?: readonly number[]
  readonly expiresAt?: Date
}

/** A token as a person makes it on the settings page. */
export function issueToken(state: HostState, options: IssueOptions = {}): TokenRecord {
  const kind = options.kind ?? 'Classic'
  return remember(state, {
    token: options.token ?? (kind === 'Classic' ? `ghp_${random(36)}` : `github_pat_${random(22)}_${random(59)}`),
    kind,
    login: options.login ?? 'dana-dev',
    scopes: kind === 'Classic' ? (options.scopes ?? ['repo', 'read:org']) : [],
    permissions: options.permissions ?? { metadata: 'read', contents: 'read' },
    repositoryIds: options.repositoryIds,
    expiresAt: options.expiresAt,
    revoked: false,
    lag: 0,
  })
}

export interface MintRequest {
  readonly repository_ids?: readonly number[]
  readonly repositories?: readonly string[]
  readonly permissions?: Permissions
}

/** An installation token, never wider than the installation. */
export function mintToken(
  state: HostState,
  installation: Installation,
  wanted: MintRequest,
  stateless: boolean,
): TokenRecord {
  if (installation.suspended) throw new ApiRefusal(403, 'This installation has been suspended')
  const reachable = state.repositories.filter((repository) => reaches(installation, repository))
  const byName = wanted.repositories?.map((name) => reachable.find((repository) => repository.name === name)?.id)
  const ids = wanted.repository_ids ?? byName
  if (ids && ids.length > 500) throw new ApiRefusal(422, 'Too many repositories')
  if (ids?.some((id) => !reachable.some((repository) => repository.id === id)))
    throw new ApiRefusal(
      422,
      'There is at least one repository that does not exist or is not accessible to the parent installation.',
    )
  const permissions = wanted.permissions ?? installation.permissions
  for (const [name, level] of Object.entries(permissions))
    if (!covers(installation.permissions[name], level))
      throw new ApiRefusal(422, 'The permissions requested are not granted to this installation.')
  const long = stateless || state.tokenFormat === 'Stateless'
  return remember(state, {
    token: long ? statelessToken(state) : `ghs_${random(36)}`,
    kind: 'Installation',
    login: installation.account,
    scopes: [],
    permissions: { metadata: 'read', ...permissions },
    repositoryIds: (ids as readonly number[] | undefined) ?? installation.repositoryIds,
    expiresAt: new Date(hostNow(state) + 3_600_000),
    revoked: false,
    lag: state.freshTokenLag,
  })
}

export function hostNow(state: HostState): number {
  return Date.now() + state.clockAheadMs
}

/** The token of a call, or a refusal. Undefined when the call carries none. */
export function authenticate(state: HostState, authorization: string | undefined): TokenRecord | undefined {
  if (authorization === undefined) return undefined
  const token = /^(?:bearer|token) (\S+)$/i.exec(authorization)?.[1]
  const record = token ? useToken(state, token) : undefined
  if (!record) throw new ApiRefusal(401, 'Bad credentials')
  return record
}

/** A living token, or undefined. A token that is not known everywhere yet is refused a few times. */
export function useToken(state: HostState, token: string): TokenRecord | undefined {
  const record = state.tokens.get(token)
  if (!record || record.revoked) return undefined
  if (record.expiresAt && record.expiresAt.getTime() <= hostNow(state)) return undefined
  if (record.lag > 0) {
    record.lag--
    return undefined
  }
  return record
}

/** Checks the signature and the times of an App's token. */
export function authenticateApp(state: HostState, authorization: string | undefined): void {
  const [, header = '', payload = '', signature = ''] =
    /^bearer ([\w-]+)\.([\w-]+)\.([\w-]+)$/i.exec(authorization ?? '') ?? []
  const undecodable = new ApiRefusal(401, 'A JSON web token could not be decoded')
  const head = decode(header)
  const claims = decode(payload)
  if (head?.['alg'] !== 'RS256' || !claims || String(claims['iss']) !== String(state.app.id)) throw undecodable
  const key = createPublicKey(state.app.privateKey)
  if (!verify('RSA-SHA256', Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url')))
    throw undecodable
  const seconds = Math.floor(hostNow(state) / 1000)
  const { iat, exp } = claims
  if (!Number.isInteger(iat) || (iat as number) > seconds + 5)
    throw new ApiRefusal(
      401,
      "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
    )
  if (!Number.isInteger(exp) || (exp as number) > seconds + 600)
    throw new ApiRefusal(401, "'Expiration time' claim ('exp') is too far in the future")
  if ((exp as number) <= seconds)
    throw new ApiRefusal(
      401,
      "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires",
    )
}

/** Whether this token sees the repository at all. */
export function sees(token: TokenRecord | undefined, repository: HostedRepository): boolean {
  if (!token) return !repository.private
  if (token.repositoryIds && !token.repositoryIds.includes(repository.id))
    return token.kind !== 'Installation' && !repository.private
  if (token.kind === 'Installation') return token.login === repository.owner
  if (!repository.private || token.kind === 'FineGrained') return true
  return token.scopes.includes('repo')
}

/** Refuses as GitHub does: 404 for what may not be seen, 403 for what is seen but not permitted. */
export function requireRepository(
  state: HostState,
  token: TokenRecord | undefined,
  owner: string,
  name: string,
  permission: string,
): HostedRepository {
  const repository = findRepository(state, owner, name)
  if (!repository || !sees(token, repository)) throw notFound()
  if (!token || token.kind === 'Classic' || !repository.private || covers(token.permissions[permission], 'read'))
    return repository
  const who = token.kind === 'Installation' ? 'integration' : 'personal access token'
  throw new ApiRefusal(403, `Resource not accessible by ${who}`, {
    'x-accepted-github-permissions': `${permission}=read`,
  })
}

export function findRepository(state: HostState, owner: string, name: string): HostedRepository | undefined {
  return state.repositories.find((one) => same(one.owner, owner) && same(one.name, name))
}

export function same(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase()
}

function reaches(installation: Installation, repository: HostedRepository): boolean {
  if (repository.owner !== installation.account) return false
  return installation.repositoryIds?.includes(repository.id) ?? true
}

function covers(granted: string | undefined, wanted: string): boolean {
  return granted === wanted || granted === 'write' || granted === 'admin'
}

function remember(state: HostState, record: TokenRecord): TokenRecord {
  state.tokens.set(record.token, record)
  return record
}

function statelessToken(state: HostState): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const content = `${part({ alg: 'RS256', typ: 'JWT' })}.${part({ jti: random(32), iat: Math.floor(hostNow(state) / 1000) })}`
  const signature = createSign('RSA-SHA256').update(content).sign(state.app.privateKey, 'base64url')
  return `ghs_${state.app.id}_${content}.${signature}`
}

function decode(part: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString())
  } catch {
    return undefined
  }
}
