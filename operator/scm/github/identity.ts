/** Who the operator is in a call: a token that people made, or a GitHub App that mints tokens for its installation. */
import { setTimeout as wait } from 'node:timers/promises'
import type { ScmConnection } from '../../api/kinds.ts'
import { type Credentials, ScmError } from '../types.ts'
import type { Caller, GitHubClient, Request } from './client.ts'
import { Refusal, rateLimitEnd, suspended } from './failures.ts'
import { readPrivateKey, signAppToken } from './jwt.ts'
import { appSchema, type Installation, installationSchema, tokenSchema } from './schema.ts'
import { grantedPermissions } from './scopes.ts'

/** Runs a call with the credential for reading, whatever kind it is. */
export interface Identity {
  run<T>(caller: Caller, call: (request: Request) => Promise<T>): Promise<T>
}

export interface MintedToken {
  readonly token: string
  readonly expiresAt: Date
}

export interface AppIdentity extends Identity {
  /** The installation for the connection's owner. Throws ScmError when there is none, or when it is suspended. */
  installation(caller: Caller, options?: { readonly fresh?: boolean }): Promise<Installation>
  /** A token that reads the code of one repository and can do nothing else. */
  mintFor(repositoryId: string, caller: Caller): Promise<MintedToken>
}

export interface IdentityOptions {
  readonly client: GitHubClient
  readonly spec: ScmConnection['spec']
  readonly now: () => Date
  /** A fresh token is not known everywhere at once: pauses before it is tried again. Default 1, 2 and 4 seconds. */
  readonly freshTokenDelaysMs?: readonly number[] | undefined
}

const freshForMs = 10_000
const renewBeforeEndMs = 5 * 60_000
const signatureServesMs = 5 * 60_000

export function tokenIdentity(client: GitHubClient, token: string): Identity {
  return { run: (caller, call) => call(client.as(`Bearer ${token}`, caller)) }
}

export function appIdentity(
  credentials: Extract<Credentials, { kind: 'GitHubApp' }>,
  options: IdentityOptions,
): AppIdentity {
  const { client, spec, now } = options
  const key = readPrivateKey(credentials.privateKey)
  const delays = options.freshTokenDelaysMs ?? [1_000, 2_000, 4_000]
  let clockAheadMs = 0
  let signed: { readonly token: string; readonly at: number } | undefined
  let found: Installation | undefined
  let current: (MintedToken & { readonly mintedAt: number }) | undefined
  let lastMint: Promise<unknown> = Promise.resolve()

  /** Signing costs more than the rest of a call, so a signature serves while it surely is valid. */
  function signature(): string {
    const time = now().getTime()
    if (!signed || time < signed.at || time - signed.at > signatureServesMs) {
      signed = { token: signAppToken(credentials.appId, key, new Date(time + clockAheadMs)), at: time }
    }
    return signed.token
  }

  /** Calls as the App itself. When the host's clock differs, the signature is made once more by the host's clock. */
  async function asApp<T>(caller: Caller, call: (request: Request) => Promise<T>): Promise<T> {
    // GitHub counts calls of the App itself apart from those of its installation.
    const attempt = () => call(client.as(`Bearer ${signature()}`, { ...caller, ownBudget: true }))
    try {
      return await attempt()
    } catch (error) {
      const theirs =
        error instanceof Refusal && error.status === 401 ? Date.parse(error.headers.get('date') ?? '') : NaN
      if (Number.isNaN(theirs) || Math.abs(theirs - now().getTime() - clockAheadMs) < 5_000) throw error
      clockAheadMs = theirs - now().getTime()
      signed = undefined
      return attempt()
    }
  }

  async function installation(caller: Caller, { fresh = false } = {}): Promise<Installation> {
    if (!found || fresh) found = await lookUp(caller)
    if (found.suspended_at) throw suspended()
    return found
  }

  async function lookUp(caller: Caller): Promise<Installation> {
    const { organization, user } = spec.owner
    try {
      const { data } = await asApp(caller, (request) =>
        client.read(
          installationSchema,
          organization
            ? request('GET /orgs/{org}/installation', { org: organization })
            : request('GET /users/{username}/installation', { username: user ?? '' }),
        ),
      )
      return data
    } catch (error) {
      if (error instanceof Refusal && error.status === 404) throw await notInstalled(caller)
      throw error
    }
  }

  async function notInstalled(caller: Caller): Promise<ScmError> {
    const { data: app } = await asApp(caller, (request) => client.read(appSchema, request('GET /app')))
    const owner = spec.owner.organization ?? spec.owner.user
    return new ScmError(
      'InstallationNotFound',
      `The GitHub App is not installed for ${owner}. Install it at ${app.html_url}/installations/new.`,
    )
  }

  /** Mints for the known installation; when that is gone, it may have been made anew under another ID. */
  async function mint(
    caller: Caller,
    bodyFor: (installation: Installation) => { repository_ids?: number[]; permissions: Record<string, string> },
  ): Promise<MintedToken> {
    for (const fresh of [false, true]) {
      const target = await installation(caller, { fresh })
      try {
        const body = bodyFor(target)
        const { data } = await asApp(caller, (request) =>
          client.read(
            tokenSchema,
            request('POST /app/installations/{installation_id}/access_tokens', { installation_id: target.id, ...body }),
          ),
        )
        if (body.repository_ids && data.repositories?.some(({ id }) => !body.repository_ids?.includes(Number(id))))
          throw new ScmError(
            'UnexpectedReply',
            'GitHub minted a token for more than the one repository that was asked for.',
          )
        return { token: data.token, expiresAt: new Date(data.expires_at) }
      } catch (error) {
        if (fresh || !(error instanceof Refusal) || error.status !== 404) throw error
      }
    }
    throw await notInstalled(caller)
  }

  /** One mint at a time; whoever waited finds the other's token. */
  async function token(caller: Caller): Promise<MintedToken & { readonly mintedAt: number }> {
    const mine = lastMint.then(async () => {
      if (current && current.expiresAt.getTime() - now().getTime() > renewBeforeEndMs) return current
      const minted = await mint(caller, ({ permissions }) => ({ permissions: grantedPermissions(spec, permissions) }))
      current = { ...minted, mintedAt: now().getTime() }
      return current
    })
    lastMint = mine.catch(() => undefined)
    return mine
  }

  async function run<T>(caller: Caller, call: (request: Request) => Promise<T>): Promise<T> {
    let renewed = false
    for (let attempt = 0; ; attempt++) {
      const used = await token(caller)
      try {
        return await call(client.as(`Bearer ${used.token}`, caller))
      } catch (error) {
        if (!(error instanceof Refusal) || rateLimitEnd(error, now())) throw error
        const pause = delays[attempt]
        const fresh = now().getTime() - used.mintedAt < freshForMs && [401, 403, 404].includes(error.status)
        if (fresh && pause !== undefined) {
          await wait(pause, undefined, { signal: caller.signal })
        } else if (error.status === 401 && !renewed) {
          renewed = true
          if (current === used) current = undefined
        } else throw error
      }
    }
  }

  return {
    installation,
    run,
    mintFor: (repositoryId, caller) =>
      mint(caller, () => ({ repository_ids: [Number(repositoryId)], permissions: { contents: 'read' } })),
  }
}
