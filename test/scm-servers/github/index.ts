/** Starts the demo code host: state, certificate, repositories and the server over them, stopped as one. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tlsIdentity } from '../tls.ts'
import { type Contract, loadContract } from './contract.ts'
import { linkRepository, makeRepository, sampleNames, samplesFolder } from './repositories.ts'
import { createScript, type ScriptedFailure } from './script.ts'
import { createServer, type Stats } from './server.ts'
import { createState, type HostedRepository, type HostState } from './state.ts'
import { type IssueOptions, issueToken } from './tokens.ts'

export { failures, type ScriptedFailure } from './script.ts'

export interface GitHubServerOptions {
  /** Address to listen at; 127.0.0.1 if absent. */
  readonly address?: string
  /** Port; a free one if absent or 0. */
  readonly port?: number
  /** Name under which clients know the host; `localhost` if absent. Links and clone addresses are made of it. */
  readonly hostName?: string
  /** Further names and addresses that the certificate is for. */
  readonly alternativeNames?: readonly string[]
  /** Folder that survives a restart: certificate, App key, repositories. A temporary one if absent. */
  readonly stateDir?: string
  /** Login of the organization; `acme` if absent. */
  readonly organization?: string
  /** Serve the sample repositories; true if absent. */
  readonly samples?: boolean
  /** Folders of local git repositories to serve as well. */
  readonly repos?: readonly string[]
  /** Hold calls and replies against GitHub's API description. Takes a second to load; false if absent. */
  readonly checkContract?: boolean
}

export interface RepositoryOptions {
  readonly owner?: string
  readonly private?: boolean
  readonly archived?: boolean
  readonly fork?: boolean
  readonly topics?: readonly string[]
  readonly language?: string
  /** Folder whose files become the first commit; an empty repository if absent. */
  readonly source?: string
}

export interface GitHubServer {
  /** Base address, as the `url` of a GitHubEnterpriseServer connection. */
  readonly url: string
  /** REST API as GitHub Enterprise Server mounts it. The same API answers at `url`, as on api.github.com. */
  readonly apiUrl: string
  readonly caPem: string
  readonly organization: string
  readonly app: { readonly id: number; readonly privateKey: string }
  /** Everything the host knows; tests change it to play what people do on the host's pages. */
  readonly state: HostState
  readonly stats: Stats
  issueToken(options?: IssueOptions): string
  revokeToken(token: string): void
  addRepository(name: string, options?: RepositoryOptions): Promise<HostedRepository>
  script(failure: ScriptedFailure): void
  clearScript(): void
  stop(): Promise<void>
}

/** Topics and languages of the samples, as people would set them. */
const sampleFacts: Readonly<Record<string, { language: string; topics: readonly string[] }>> = {
  'payments-api': { language: 'Python', topics: ['backend', 'tier-1'] },
  'web-shop': { language: 'TypeScript', topics: ['frontend', 'tier-1'] },
  inventory: { language: 'Go', topics: ['backend'] },
  billing: { language: 'Java', topics: ['backend', 'tier-1'] },
  'design-tokens': { language: 'TypeScript', topics: ['frontend'] },
}

export async function startGitHubServer(options: GitHubServerOptions = {}): Promise<GitHubServer> {
  const address = options.address ?? '127.0.0.1'
  const hostName = options.hostName ?? 'localhost'
  const organization = options.organization ?? 'acme'
  const folder = options.stateDir ?? (await mkdtemp(join(tmpdir(), 'scanfleet-github-')))
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const tls = await tlsIdentity([...new Set([hostName, address, ...(options.alternativeNames ?? [])])], folder)
  const state = createState(organization, readKey(folder))
  writeFileSync(keyFile(folder), state.app.privateKey, { mode: 0o600 })

  const root = join(folder, 'repositories')
  const contract: Contract | undefined = options.checkContract ? loadContract() : undefined
  const script = createScript()

  function host(name: string, git: HostedRepository['git'], facts: RepositoryOptions): HostedRepository {
    const repository: HostedRepository = {
      id: 7001 + state.repositories.length,
      owner: facts.owner ?? organization,
      name,
      private: facts.private ?? true,
      archived: facts.archived ?? false,
      fork: facts.fork ?? false,
      topics: facts.topics ?? [],
      language: facts.language ?? null,
      git,
    }
    state.repositories.push(repository)
    return repository
  }

  async function addRepository(name: string, facts: RepositoryOptions = {}): Promise<HostedRepository> {
    return host(name, await makeRepository(root, facts.owner ?? organization, name, facts.source), facts)
  }

  if (options.samples ?? true)
    for (const name of sampleNames())
      await addRepository(name, { ...sampleFacts[name], source: join(samplesFolder, name) })
  for (const path of options.repos ?? []) {
    const { name, git } = await linkRepository(root, organization, path)
    host(name, git, { topics: ['local'] })
  }

  const server = createServer({ state, script, tls, hostName, ...(contract ? { contract } : {}) })
  const { port } = await server.listen(address, options.port ?? 0)
  const url = `https://${hostName}:${port}`
  return {
    url,
    apiUrl: `${url}/api/v3`,
    caPem: tls.caPem,
    organization,
    app: { id: state.app.id, privateKey: state.app.privateKey },
    state,
    stats: server.stats,
    issueToken: (issue) => issueToken(state, issue).token,
    revokeToken: (token) => {
      const record = state.tokens.get(token)
      if (record) record.revoked = true
    },
    addRepository,
    script: script.add,
    clearScript: script.clear,
    async stop() {
      await server.close()
      if (!options.stateDir) await rm(folder, { recursive: true, force: true })
    },
  }
}

function keyFile(folder: string): string {
  return join(folder, 'app.private-key.pem')
}

function readKey(folder: string): string | undefined {
  return existsSync(keyFile(folder)) ? readFileSync(keyFile(folder), 'utf8') : undefined
}
