/**
 * GitHub.com and GitHub Enterprise Server behind the Scm contract, by token or by GitHub App. Everything that leaves
 * this file is the operator's own vocabulary: repositories, heads, credentials, and failures as ScmErrors.
 */

import type { ScmFactory } from '../factory.ts'
import { createHttpClient } from '../http/client.ts'
import { nextLink, pages } from '../http/paging.ts'
import {
  type CloneCredential,
  type ConnectionReport,
  type Credentials,
  type Head,
  type Priority,
  type RepositoryPage,
  type RepositoryRef,
  ScmError,
} from '../types.ts'
import { type Caller, createGitHubClient } from './client.ts'
import { explain, organizationsLeftOut, Refusal } from './failures.ts'
import { appIdentity, tokenIdentity } from './identity.ts'
import { type Listing, listingOf } from './listing.ts'
import { isEmpty, toRepository } from './map.ts'
import { nothingSchema, refSchema, repositorySchema } from './schema.ts'
import { testApp, testToken } from './test-connection.ts'

/** Clone user name for every kind of token that GitHub has. */
const cloneUser = 'x-access-token'

export const createGitHub: ScmFactory = (options, deps) => {
  const { spec, credentials } = options
  const { apiUrl, webOrigin } = addressesOf(spec.url, deps.publicApiUrl)
  const { limiter, now } = deps
  const http = createHttpClient({ ...deps, ...deps.timing, ca: options.ca })
  const client = createGitHubClient({ apiUrl, http, limiter, log: deps.log, now })
  const app =
    credentials.kind === 'GitHubApp'
      ? appIdentity(credentials, { client, spec, now, freshTokenDelaysMs: deps.timing?.freshTokenDelaysMs })
      : undefined
  const identity = app ?? tokenIdentity(client, tokenOf(credentials))
  let expiresAt: Date | undefined

  /** Runs work on GitHub and turns its refusals into sentences. `missing` says what a 404 means here. */
  async function understood<T>(work: () => Promise<T>, missing?: () => ScmError): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      if (error.status === 404 && missing) throw missing()
      throw explain(error, { now: now(), credential: app ? 'App' : 'Token', webOrigin, expiresAt })
    }
  }

  function listing(caller: Caller): Promise<Listing> {
    return listingOf({ spec, identity, client, isApp: app !== undefined }, caller)
  }

  async function* listRepositories(signal: AbortSignal): AsyncGenerator<RepositoryPage> {
    const caller: Caller = { signal, priority: 'Discovery' }
    const list = await understood(
      () => listing(caller),
      () => ownerNotFound(spec.owner),
    )
    let seen = 0
    const totals = new Set<number>()
    let leftOut = 0
    const walk = pages(
      list.firstUrl,
      (url) =>
        understood(
          async () => {
            const page = await list.fetch(url, caller)
            if (page.total !== undefined) totals.add(page.total)
            leftOut = Math.max(leftOut, organizationsLeftOut(page.headers))
            return { items: page.repositories, next: nextLink(page.headers.get('link')) }
          },
          () => ownerNotFound(spec.owner),
        ),
      (repository) => repository.id,
    )
    for await (const repositories of walk) {
      seen += repositories.length
      yield { repositories: repositories.map((raw) => toRepository(raw, webOrigin)) }
    }
    if (leftOut > 0)
      throw new ScmError(
        'PartialResults',
        `GitHub left out the repositories of ${leftOut} organization(s) that want single sign-on. Authorize the token for them.`,
      )
    // A repository that came or went moves others over the edge of a page, where they can be missed.
    if (totals.size > 1 || [...totals].some((total) => seen < total))
      throw new ScmError('UnexpectedReply', 'The list of repositories changed while it was read. It is read again.')
  }

  async function resolveHead(
    repository: RepositoryRef,
    branch: string | undefined,
    signal: AbortSignal,
    priority: Priority = 'Weekly',
  ): Promise<Head> {
    const caller: Caller = { signal, priority }
    const [owner = '', repo = ''] = repository.fullName.split('/')
    const { data } = await understood(
      () =>
        identity.run(caller, (request) =>
          client.read(repositorySchema, request('GET /repos/{owner}/{repo}', { owner, repo })),
        ),
      () => repositoryNotFound(repository),
    )
    // Somebody may have taken the name of a repository that was renamed or deleted.
    if (data.id !== repository.id) throw repositoryNotFound(repository)
    const name = branch ?? data.default_branch
    const ref = `heads/${name}`
    try {
      const found = await identity.run(caller, (request) =>
        client.read(refSchema, request('GET /repos/{owner}/{repo}/git/ref/{ref}', { owner, repo, ref })),
      )
      return { commit: found.data.object.sha, branch: name }
    } catch (error) {
      if (error instanceof Refusal && error.status === 409) throw repositoryEmpty(repository)
      return understood(
        () => Promise.reject(error),
        () => branchNotFound(repository, name, isEmpty(data)),
      )
    }
  }

  async function mintCloneCredential(
    repository: RepositoryRef,
    signal: AbortSignal,
    priority: Priority = 'Weekly',
  ): Promise<CloneCredential> {
    if (!app)
      return { username: cloneUser, token: tokenOf(credentials), minted: false, ...(expiresAt ? { expiresAt } : {}) }
    try {
      const minted = await app.mintFor(repository.id, { signal, priority })
      return { username: cloneUser, ...minted, minted: true }
    } catch (error) {
      if (error instanceof Refusal && error.status === 422) throw repositoryNotFound(repository)
      return understood(() => Promise.reject(error))
    }
  }

  async function revokeCloneCredential(credential: CloneCredential, signal: AbortSignal): Promise<void> {
    if (!credential.minted) return
    // The most urgent of all: until it is done, a token lives that nobody needs.
    const request = client.as(`Bearer ${credential.token}`, { signal, priority: 'PullRequest' })
    try {
      await client.read(nothingSchema, request('DELETE /installation/token'))
    } catch (error) {
      if (error instanceof Refusal && (error.status === 401 || error.status === 404)) return
      await understood(() => Promise.reject(error))
    }
  }

  async function testConnection(signal: AbortSignal): Promise<ConnectionReport> {
    const caller: Caller = { signal, priority: 'Manual' }
    const parts = { spec, client, identity, listing, now }
    const report = await understood(
      () => (app ? testApp({ ...parts, app }, caller) : testToken(parts, caller)),
      () => ownerNotFound(spec.owner),
    )
    expiresAt = report.expiresAt
    return report
  }

  return {
    testConnection,
    listRepositories,
    resolveHead,
    mintCloneCredential,
    revokeCloneCredential,
    close: client.close,
  }
}

/** Only asked where there is no App. */
function tokenOf(credentials: Credentials): string {
  return credentials.kind === 'Token' ? credentials.token : ''
}

function addressesOf(url: string | undefined, publicApiUrl: string | undefined): { apiUrl: string; webOrigin: string } {
  if (url !== undefined) {
    const base = url.replace(/\/+$/, '').replace(/\/api\/v3$/, '')
    return { apiUrl: `${base}/api/v3`, webOrigin: new URL(base).origin }
  }
  if (publicApiUrl !== undefined) return { apiUrl: publicApiUrl, webOrigin: new URL(publicApiUrl).origin }
  return { apiUrl: 'https://api.github.com', webOrigin: 'https://github.com' }
}

function ownerNotFound(owner: { organization?: string; user?: string }): ScmError {
  return new ScmError(
    'OwnerNotFound',
    owner.organization
      ? `There is no organization ${owner.organization}, or the credential cannot see it. A personal account is written as owner.user.`
      : `There is no personal account ${owner.user}, or the credential cannot see it. An organization is written as owner.organization.`,
  )
}

function repositoryNotFound({ fullName }: RepositoryRef): ScmError {
  return new ScmError(
    'Connected',
    `The repository ${fullName} does not exist any more, or the credential cannot see it.`,
    {
      subject: 'RepositoryNotFound',
    },
  )
}

function repositoryEmpty({ fullName }: RepositoryRef): ScmError {
  return new ScmError('Connected', `The repository ${fullName} has no commit yet.`, { subject: 'RepositoryEmpty' })
}

function branchNotFound(repository: RepositoryRef, branch: string, neverPushed: boolean): ScmError {
  if (neverPushed) return repositoryEmpty(repository)
  return new ScmError('Connected', `The repository ${repository.fullName} has no branch ${branch}.`, {
    subject: 'BranchNotFound',
  })
}
