/**
 * Which list holds the owner's repositories. The test of a connection reads the first page of the same list that
 * discovery reads, so that the second of the two costs nothing (304).
 */
import type { z } from 'zod'
import type { ScmConnection } from '../../api/kinds.ts'
import { ScmError } from '../types.ts'
import type { Caller, GitHubClient } from './client.ts'
import type { Identity } from './identity.ts'
import { type GitHubRepository, installationRepositoriesSchema, repositoriesSchema, userSchema } from './schema.ts'

export interface ListingPage {
  readonly repositories: readonly GitHubRepository[]
  /** What the host says there is in all, where it says so. */
  readonly total?: number
  readonly headers: Headers
}

export interface Listing {
  readonly firstUrl: string
  fetch(url: string, caller: Caller): Promise<ListingPage>
  /** True when the credential sees only the public repositories of the owner. */
  readonly publicOnly: boolean
}

interface ListingOptions {
  readonly spec: ScmConnection['spec']
  readonly identity: Identity
  readonly client: GitHubClient
  readonly isApp: boolean
}

export async function listingOf(options: ListingOptions, caller: Caller): Promise<Listing> {
  const { spec, client, isApp } = options
  if (isApp) return list(options, 'installation/repositories?per_page=100')
  const { organization, user = '' } = spec.owner
  if (organization)
    return list(options, `orgs/${encodeURIComponent(organization)}/repos?type=all&sort=full_name&per_page=100`)
  const me = await options.identity.run(caller, (request) => client.read(userSchema, request('GET /user')))
  if (me.data.login.toLowerCase() === user.toLowerCase())
    return list(options, 'user/repos?affiliation=owner&sort=full_name&per_page=100')
  const account = await options.identity.run(caller, (request) =>
    client.read(userSchema, request('GET /users/{username}', { username: user })),
  )
  if (account.data.type !== 'User')
    throw new ScmError('OwnerNotFound', `${user} is an organization. Write it as owner.organization.`)
  return list(options, `users/${encodeURIComponent(user)}/repos?type=owner&sort=full_name&per_page=100`, true)
}

function list({ identity, client, isApp }: ListingOptions, path: string, publicOnly = false): Listing {
  function read<S extends z.ZodType>(schema: S, url: string, caller: Caller) {
    return identity.run(caller, (request) => client.read(schema, request({ method: 'GET', url })))
  }
  return {
    firstUrl: `${client.apiUrl}/${path}`,
    publicOnly,
    async fetch(url, caller) {
      if (!isApp) {
        const { data, headers } = await read(repositoriesSchema, url, caller)
        return { repositories: data, headers }
      }
      const { data, headers } = await read(installationRepositoriesSchema, url, caller)
      return { repositories: data.repositories, total: data.total_count, headers }
    },
  }
}
