/** The objects of GitHub's API, complete as its description demands. Only what the state holds differs between them. */
import type { Account, HostedRepository, HostState, Installation, TokenRecord } from './state.ts'

export interface Addresses {
  readonly apiUrl: string
  readonly webUrl: string
}

const born = '2025-01-01T00:00:00Z'

/** Where an account or a repository leads on: GitHub gives an address for everything. */
const accountLinks = [
  'followers',
  'following',
  'gists',
  'starred',
  'subscriptions',
  'organizations',
  'repos',
  'events',
  'received_events',
]
const repositoryLinks = [
  'archive assignees blobs branches collaborators comments commits compare contents contributors deployments downloads',
  'events forks git_commits git_refs git_tags hooks issue_comment issue_events issues keys labels languages merges',
  'milestones notifications pulls releases stargazers statuses subscribers subscription tags teams trees',
].flatMap((line) => line.split(' '))

export function accountReply(account: Account, { apiUrl, webUrl }: Addresses): Record<string, unknown> {
  const url = `${apiUrl}/users/${account.login}`
  return {
    login: account.login,
    id: account.id,
    node_id: nodeId('U', account.id),
    avatar_url: `${webUrl}/avatars/${account.id}`,
    gravatar_id: '',
    url,
    html_url: `${webUrl}/${account.login}`,
    ...Object.fromEntries(accountLinks.map((name) => [`${name}_url`, `${url}/${name}`])),
    type: account.type,
    site_admin: false,
  }
}

export function userReply(account: Account, addresses: Addresses): Record<string, unknown> {
  const nothing = ['name', 'company', 'blog', 'location', 'email', 'hireable', 'bio']
  return {
    ...accountReply(account, addresses),
    ...Object.fromEntries(nothing.map((name) => [name, null])),
    public_repos: 0,
    public_gists: 0,
    followers: 0,
    following: 0,
    created_at: born,
    updated_at: born,
  }
}

export async function repositoryReply(
  state: HostState,
  repository: HostedRepository,
  addresses: Addresses,
): Promise<Record<string, unknown>> {
  const { defaultBranch, pushedAt: pushed } = await repository.git.facts()
  const { apiUrl, webUrl } = addresses
  const name = `${repository.owner}/${repository.name}`
  const url = `${apiUrl}/repos/${name}`
  const html = `${webUrl}/${name}`
  return {
    id: repository.id,
    node_id: nodeId('R', repository.id),
    name: repository.name,
    full_name: name,
    owner: accountReply(ownerOf(state, repository), addresses),
    private: repository.private,
    visibility: repository.private ? 'private' : 'public',
    html_url: html,
    description: null,
    fork: repository.fork,
    url,
    ...Object.fromEntries(repositoryLinks.map((link) => [`${link}_url`, `${url}/${link}`])),
    clone_url: `${html}.git`,
    git_url: `git:${html.slice('https:'.length)}.git`,
    ssh_url: `git@${new URL(webUrl).hostname}:${name}.git`,
    svn_url: html,
    mirror_url: null,
    homepage: null,
    language: repository.language,
    forks_count: 0,
    forks: 0,
    stargazers_count: 0,
    watchers_count: 0,
    watchers: 0,
    size: pushed ? 64 : 0,
    default_branch: defaultBranch,
    open_issues_count: 0,
    open_issues: 0,
    is_template: false,
    topics: repository.topics,
    has_issues: true,
    has_projects: false,
    has_wiki: false,
    has_pages: false,
    has_downloads: false,
    has_discussions: false,
    archived: repository.archived,
    disabled: false,
    license: null,
    pushed_at: pushed ?? null,
    created_at: born,
    updated_at: pushed ?? born,
    permissions: { admin: false, maintain: false, push: false, triage: false, pull: true },
  }
}

/** What only the single repository's own address adds. There, a repository without a push counts as pushed when made. */
export async function fullRepositoryReply(
  ...args: Parameters<typeof repositoryReply>
): Promise<Record<string, unknown>> {
  const reply = await repositoryReply(...args)
  return { ...reply, pushed_at: reply['pushed_at'] ?? born, network_count: 0, subscribers_count: 0 }
}

export function installationReply(
  state: HostState,
  installation: Installation,
  addresses: Addresses,
): Record<string, unknown> {
  const { apiUrl, webUrl } = addresses
  const account = state.accounts.find(({ login }) => login === installation.account)
  if (!account) throw new Error(`No account ${installation.account}.`)
  const url = `${apiUrl}/app/installations/${installation.id}`
  return {
    id: installation.id,
    account: accountReply(account, addresses),
    repository_selection: installation.repositoryIds ? 'selected' : 'all',
    access_tokens_url: `${url}/access_tokens`,
    repositories_url: `${apiUrl}/installation/repositories`,
    html_url: `${webUrl}/organizations/${account.login}/settings/installations/${installation.id}`,
    app_id: state.app.id,
    app_slug: state.app.slug,
    target_id: account.id,
    target_type: account.type,
    permissions: installation.permissions,
    events: ['push', 'pull_request', 'repository'],
    created_at: born,
    updated_at: born,
    single_file_name: null,
    suspended_by: null,
    suspended_at: installation.suspended ? born : null,
  }
}

export function appReply(state: HostState, addresses: Addresses): Record<string, unknown> {
  const { id, slug, name } = state.app
  const [owner] = state.accounts
  return {
    id,
    slug,
    node_id: nodeId('A', id),
    owner: owner ? accountReply(owner, addresses) : null,
    name,
    description: null,
    external_url: addresses.webUrl,
    html_url: `${addresses.webUrl}/apps/${slug}`,
    created_at: born,
    updated_at: born,
    permissions: state.installations[0]?.permissions ?? {},
    events: ['push', 'pull_request', 'repository'],
  }
}

export async function tokenReply(
  state: HostState,
  record: TokenRecord,
  addresses: Addresses,
): Promise<Record<string, unknown>> {
  const chosen = state.repositories.filter(({ id }) => record.repositoryIds?.includes(id))
  return {
    token: record.token,
    expires_at: record.expiresAt?.toISOString().replace(/\.\d+Z$/, 'Z'),
    permissions: record.permissions,
    repository_selection: record.repositoryIds ? 'selected' : 'all',
    ...(record.repositoryIds
      ? { repositories: await Promise.all(chosen.map((repository) => repositoryReply(state, repository, addresses))) }
      : {}),
  }
}

/** Undefined when the branch does not exist. */
export async function refReply(
  repository: HostedRepository,
  branch: string,
  { apiUrl }: Addresses,
): Promise<Record<string, unknown> | undefined> {
  const sha = (await repository.git.facts()).branches.get(branch)
  if (!sha) return undefined
  const url = `${apiUrl}/repos/${repository.owner}/${repository.name}/git`
  return {
    ref: `refs/heads/${branch}`,
    node_id: nodeId('REF', repository.id),
    url: `${url}/refs/heads/${branch}`,
    object: { sha, type: 'commit', url: `${url}/commits/${sha}` },
  }
}

export async function branchesReply(
  repository: HostedRepository,
  { apiUrl }: Addresses,
): Promise<Record<string, unknown>[]> {
  const { branches } = await repository.git.facts()
  return [...branches].map(([name, sha]) => ({
    name,
    commit: { sha, url: `${apiUrl}/repos/${repository.owner}/${repository.name}/commits/${sha}` },
    protected: false,
  }))
}

function ownerOf(state: HostState, repository: HostedRepository): Account {
  const owner = state.accounts.find(({ login }) => login === repository.owner)
  if (!owner) throw new Error(`No account ${repository.owner}.`)
  return owner
}

function nodeId(kind: string, id: number): string {
  return `${kind}_${Buffer.from(String(id)).toString('base64url')}`
}
