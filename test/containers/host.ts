/**
 * A code host with repositories that no honest person would push: built object by object, served over TLS by git's own
 * server program. Beside it, listeners that stand for the addresses that a fence allows or forbids.
 */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { type ClonePlan, podPaths } from '../../operator/scan/contract/plan.ts'
import { type GitHubServer, startGitHubServer } from '../scm-servers/github/index.ts'

export type TreeEntry = {
  readonly mode: '100644' | '100755' | '120000' | '160000' | '40000'
  readonly name: string | Buffer
  /** Content of a blob; entries of a folder; the commit that a submodule points to. */
  readonly is: string | Buffer | readonly TreeEntry[] | { readonly object: string }
}

export type HostileRepository = { readonly url: string; readonly commit: string; readonly gitDir: string }

export type CodeHost = {
  readonly server: GitHubServer
  readonly token: string
  /** A repository whose only commit has exactly this tree, whatever git's own commands would say to it. */
  readonly addTree: (name: string, entries: readonly TreeEntry[]) => Promise<HostileRepository>
  /** A repository whose only commit has the tree with this id, made by `make` in its object database. */
  readonly addMade: (name: string, make: (git: Plumbing) => Promise<string>) => Promise<HostileRepository>
  /** A plan that clones the commit, without a fence. */
  readonly plan: (repository: HostileRepository, changes?: Partial<ClonePlan>) => ClonePlan
  readonly stop: () => Promise<void>
}

export type Plumbing = {
  readonly blob: (content: string | Buffer) => Promise<string>
  readonly tree: (entries: readonly TreeEntry[]) => Promise<string>
}

/** Beside the repositories of `existing`, when a test has such a host already. */
export async function aCodeHost(existing?: GitHubServer): Promise<CodeHost> {
  const server = existing ?? (await startGitHubServer({ samples: false }))
  const token = server.issueToken()
  const addMade: CodeHost['addMade'] = async (name, make) => {
    const repository = await server.addRepository(name)
    const { gitDir } = repository.git
    const tree = await make(plumbing(gitDir))
    const commit = await write(
      gitDir,
      'commit',
      `tree ${tree}\nauthor A <a@example.com> 1700000000 +0000\ncommitter A <a@example.com> 1700000000 +0000\n\nMade\n`,
    )
    await git(gitDir, ['update-ref', 'refs/heads/main', commit])
    return { url: `${server.url}/${server.organization}/${name}.git`, commit, gitDir }
  }
  return {
    server,
    token,
    addMade,
    addTree: (name, entries) => addMade(name, ({ tree }) => tree(entries)),
    plan: ({ url, commit }, changes = {}) => ({
      url,
      commit,
      username: 'x-access-token',
      tokenFile: `${podPaths.secrets}/token`,
      caFile: `${podPaths.secrets}/code-host-ca.crt`,
      fence: {
        enforced: false,
        allowed: endpointOf(url),
        forbidden: [{ host: '127.0.0.1', port: 1 }],
        timeoutSeconds: 5,
      },
      limits: { treeBytes: 50_000_000, treeFiles: 10_000, timeoutSeconds: 120 },
      ...changes,
    }),
    stop: () => server.stop(),
  }
}

export function endpointOf(url: string): { host: string; port: number } {
  const { hostname, port } = new URL(url)
  return { host: hostname, port: Number(port) }
}

export type Listener = { readonly port: number; readonly connections: () => number; readonly stop: () => Promise<void> }

/** Accepts every connection on loopback and counts them. */
export async function aListener(): Promise<Listener> {
  let connections = 0
  const server = createServer((socket) => {
    connections += 1
    socket.on('error', () => undefined)
    socket.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  // A test that failed before it stopped its listener must not hold up the others.
  server.unref()
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    stop: async () => {
      if (!server.listening) return
      server.close()
      await once(server, 'close')
    },
  }
}

function plumbing(gitDir: string): Plumbing {
  const blob: Plumbing['blob'] = (content) => write(gitDir, 'blob', content)
  const tree: Plumbing['tree'] = async (entries) => {
    const parts: Buffer[] = []
    for (const { mode, name, is } of entries) {
      const object =
        typeof is === 'string' || Buffer.isBuffer(is) ? await blob(is) : 'object' in is ? is.object : await tree(is)
      parts.push(Buffer.from(`${mode} `), Buffer.from(name), Buffer.from([0]), Buffer.from(object, 'hex'))
    }
    return await write(gitDir, 'tree', Buffer.concat(parts))
  }
  return { blob, tree }
}

/** Writes an object as it is: `--literally` keeps git from judging it. */
function write(gitDir: string, type: string, content: string | Buffer): Promise<string> {
  return git(gitDir, ['hash-object', '-w', '--literally', '-t', type, '--stdin'], content)
}

function git(gitDir: string, args: readonly string[], input?: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile('git', ['--git-dir', gitDir, ...args], (error, stdout) => {
      if (error) reject(error)
      else resolve(stdout.trim())
    })
    if (input !== undefined) child.stdin?.end(input)
  })
}
