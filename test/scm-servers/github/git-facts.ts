/**
 * What the API tells of a git repository: its branches and when it was last pushed to. git is asked only when something
 * changed on disk, so that the host stays quick when a whole fleet is scanned.
 */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

export interface GitFacts {
  /** The branch that HEAD names, also when it has no commit yet. */
  readonly defaultBranch: string
  /** Commits by branch. */
  readonly branches: ReadonlyMap<string, string>
  /** When the newest commit of any branch was made; undefined in an empty repository. */
  readonly pushedAt: string | undefined
}

/** Runs git in the repository and returns its output. */
export type AskGit = (args: readonly string[]) => Promise<string>

/** Reads the facts of a repository; `refsDir` is where its refs lie (another folder than its own in a linked work tree). */
export function createFactReader(gitDir: string, refsDir: string, ask: AskGit): () => Promise<GitFacts> {
  let seen = ''
  let facts: Promise<GitFacts> | undefined
  return () => {
    const now = fingerprint(gitDir, refsDir)
    if (!facts || now !== seen) {
      seen = now
      facts = readFacts(ask)
    }
    return facts
  }
}

async function readFacts(ask: AskGit): Promise<GitFacts> {
  const format = '--format=%(objectname) %(committerdate:unix) %(refname:lstrip=2)'
  const lines = await ask(['for-each-ref', format, 'refs/heads'])
  const branches = new Map<string, string>()
  let newest = 0
  for (const line of lines.split('\n')) {
    const [commit, seconds, name] = line.split(' ')
    if (!commit || !name) continue
    branches.set(name, commit)
    newest = Math.max(newest, Number(seconds))
  }
  return {
    defaultBranch: await ask(['symbolic-ref', '--short', 'HEAD']).catch(() => 'main'),
    branches,
    pushedAt: branches.size === 0 ? undefined : new Date(newest * 1000).toISOString().replace('.000Z', 'Z'),
  }
}

/** Changes with every commit: git writes a ref beside its file and renames it, which touches the folder. */
function fingerprint(gitDir: string, refsDir: string): string {
  const heads = join(refsDir, 'refs', 'heads')
  const folders = existsSync(heads) && statSync(heads).isDirectory() ? [heads, ...foldersIn(heads)] : []
  return [join(gitDir, 'HEAD'), join(refsDir, 'packed-refs'), join(refsDir, 'reftable'), ...folders]
    .map((path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0)
    .join(' ')
}

function foldersIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
}
