/**
 * Real git repositories for the host: made from folders of plain files with fixed authors and dates, so that a folder
 * always becomes the same commit; or existing local repositories, served as they are.
 */
import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { mkdir, rename, rm, symlink } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { createFactReader, type GitFacts } from './git-facts.ts'

const run = promisify(execFile)

/** Folder of the sample repositories that the project brings. */
export const samplesFolder = join(import.meta.dirname, 'repositories')

export interface GitRepository {
  readonly gitDir: string
  /** What the API tells of it, as it is now. */
  facts(): Promise<GitFacts>
}

/** Settings of the machine or of its user must not change what is made or served. */
export const gitEnvironment: Readonly<Record<string, string>> = {
  PATH: process.env['PATH'] ?? '/usr/bin:/bin',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_COUNT: '4',
  GIT_CONFIG_KEY_0: 'safe.directory',
  GIT_CONFIG_VALUE_0: '*',
  GIT_CONFIG_KEY_1: 'uploadpack.allowAnySHA1InWant',
  GIT_CONFIG_VALUE_1: 'true',
  GIT_CONFIG_KEY_2: 'uploadpack.allowFilter',
  GIT_CONFIG_VALUE_2: 'true',
  GIT_CONFIG_KEY_3: 'core.autocrlf',
  GIT_CONFIG_VALUE_3: 'false',
}

const author = {
  GIT_AUTHOR_NAME: 'Dana Dev',
  GIT_AUTHOR_EMAIL: 'dana@example.test',
  GIT_AUTHOR_DATE: '2026-01-05T09:00:00Z',
  GIT_COMMITTER_NAME: 'Dana Dev',
  GIT_COMMITTER_EMAIL: 'dana@example.test',
  GIT_COMMITTER_DATE: '2026-01-05T09:00:00Z',
}

export async function git(
  gitDir: string,
  args: readonly string[],
  environment: Record<string, string> = {},
): Promise<string> {
  const { stdout } = await run('git', [`--git-dir=${gitDir}`, ...args], {
    env: { ...gitEnvironment, ...environment },
    maxBuffer: 64 * 1024 * 1024,
  })
  return stdout.trim()
}

/** Makes `root/OWNER/NAME.git` with one commit of all files in `source`, or without a commit if there is no source. */
export async function makeRepository(
  root: string,
  owner: string,
  name: string,
  source?: string,
): Promise<GitRepository> {
  const gitDir = join(root, owner, `${name}.git`)
  const making = `${gitDir}.making`
  await rm(making, { recursive: true, force: true })
  await rm(gitDir, { recursive: true, force: true })
  await mkdir(dirname(gitDir), { recursive: true })
  await run('git', ['init', '--quiet', '--bare', '--initial-branch=main', making], { env: { ...gitEnvironment } })
  if (source) {
    await git(making, ['--work-tree', source, 'add', '--force', '--all', '.'])
    await git(making, ['--work-tree', source, 'commit', '--quiet', '--message', `Import ${name}`], author)
  }
  await rename(making, gitDir)
  return repositoryAt(gitDir)
}

/** Serves an existing repository, with or without a work tree, as `root/OWNER/NAME.git`. Only what is committed shows. */
export async function linkRepository(
  root: string,
  owner: string,
  folder: string,
): Promise<{ name: string; git: GitRepository }> {
  const path = resolve(folder)
  const ask = ['-C', path, 'rev-parse', '--path-format=absolute', '--git-dir', '--git-common-dir']
  const { stdout } = await run('git', ask, { env: { ...gitEnvironment } }).catch(() => {
    throw new Error(`${path} is no git repository. Name folders that git knows.`)
  })
  const [own = '', common = ''] = stdout.trim().split('\n')
  const name = basename(path)
    .replace(/\.git$/, '')
    .replace(/[^A-Za-z0-9_.-]/g, '-')
  const gitDir = join(root, owner, `${name}.git`)
  await rm(gitDir, { recursive: true, force: true })
  await mkdir(dirname(gitDir), { recursive: true })
  await symlink(own, gitDir)
  return { name, git: repositoryAt(gitDir, common) }
}

export function sampleNames(): string[] {
  if (!existsSync(samplesFolder)) return []
  return readdirSync(samplesFolder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort()
}

function repositoryAt(gitDir: string, refsDir = gitDir): GitRepository {
  return { gitDir, facts: createFactReader(gitDir, refsDir, (args) => git(gitDir, args)) }
}
