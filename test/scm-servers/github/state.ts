/** What the host knows: accounts, repositories, one GitHub App with its installations, tokens. Plain data, no rules. */
import { generateKeyPairSync } from 'node:crypto'
import type { GitRepository } from './repositories.ts'

export interface Account {
  readonly id: number
  readonly login: string
  readonly type: 'Organization' | 'User'
}

export interface HostedRepository {
  readonly id: number
  readonly owner: string
  name: string
  readonly private: boolean
  readonly archived: boolean
  readonly fork: boolean
  readonly topics: readonly string[]
  readonly language: string | null
  readonly git: GitRepository
}

export type Permissions = Readonly<Record<string, string>>

export interface Installation {
  id: number
  readonly account: string
  permissions: Permissions
  suspended: boolean
  /** Undefined means all repositories of the account. */
  repositoryIds?: readonly number[]
}

export interface TokenRecord {
  readonly token: string
  readonly kind: 'Classic' | 'FineGrained' | 'Installation'
  /** Who acts: a user for people's tokens, the account of the installation otherwise. */
  readonly login: string
  readonly scopes: readonly string[]
  readonly permissions: Permissions
  /** Undefined means all that the kind of token reaches. */
  readonly repositoryIds?: readonly number[] | undefined
  readonly expiresAt?: Date | undefined
  revoked: boolean
  /** How many calls are still refused because the token is not known everywhere yet. */
  lag: number
}

export interface HostState {
  readonly accounts: Account[]
  readonly repositories: HostedRepository[]
  readonly tokens: Map<string, TokenRecord>
  readonly installations: Installation[]
  readonly app: { readonly id: number; readonly slug: string; readonly name: string; readonly privateKey: string }
  /** Shape of newly minted installation tokens. */
  tokenFormat: 'Short' | 'Stateless'
  /** Calls with a fresh installation token that are refused at first. */
  freshTokenLag: number
  /** Calls a token may make in an hour; undefined sends no limits, as GitHub Enterprise Server does by default. */
  rateLimit?: number | undefined
  readonly used: Map<string, number>
  /** How far the host's clock is ahead. */
  clockAheadMs: number
}

export const allPermissions: Permissions = {
  metadata: 'read',
  contents: 'read',
  pull_requests: 'write',
  checks: 'write',
  statuses: 'write',
}

export function createState(owner: string, privateKey?: string): HostState {
  const pair = privateKey ? undefined : generateKeyPairSync('rsa', { modulusLength: 2048 })
  const pem = privateKey ?? (pair?.privateKey.export({ type: 'pkcs1', format: 'pem' }) as string)
  const accounts: Account[] = [
    { id: 1001, login: owner, type: 'Organization' },
    { id: 1002, login: 'dana-dev', type: 'User' },
  ]
  return {
    accounts,
    repositories: [],
    tokens: new Map(),
    installations: [{ id: 5001, account: owner, permissions: allPermissions, suspended: false }],
    app: { id: 4242, slug: 'scanfleet-demo', name: 'Scanfleet demo', privateKey: pem },
    tokenFormat: 'Short',
    freshTokenLag: 0,
    used: new Map(),
    clockAheadMs: 0,
  }
}
