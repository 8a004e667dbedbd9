/**
 * Reads the tree of a commit before anything of it is written, entry by entry, so that neither a million files nor a
 * tree that refers to itself ten billion times is ever held or checked out. Invariant: a returned tree is within the
 * limits, and its paths are those that a Linux file system can hold.
 */
import type { ClonePlan } from '../../operator/scan/contract/plan.ts'
import { ScannerFailure } from '../shared/failure.ts'
import { classifyGitFailure } from './failure.ts'
import type { Git } from './git.ts'

export type Tree = {
  /** Paths to check out as bytes in latin1, NUL-terminated each: names need not be UTF-8. */
  readonly paths: readonly string[]
  readonly bytes: number
  readonly submodules: number
  readonly symlinks: number
  /** Files whose size is that of a Git LFS pointer; only their content tells. */
  readonly pointerCandidates: readonly string[]
}

const pointerBytes = { least: 100, most: 512 } as const
const nameBytes = 255
/** A file takes whole blocks of the disk, so many small ones take far more room than they hold. */
const blockBytes = 4096
const pathBytes = 3900

/** @throws ScannerFailure RepositoryTooLarge, RepositoryUnsafe, CloneFailed */
export async function readTree(
  git: Git,
  commit: string,
  limits: ClonePlan['limits'],
  timeoutMilliseconds: number,
  signal: AbortSignal,
): Promise<Tree> {
  const paths: string[] = []
  const pointerCandidates: string[] = []
  let entries = 0
  let bytes = 0
  let room = 0
  let submodules = 0
  let symlinks = 0
  let unwritable = false
  let rest = ''

  const take = (entry: string): void => {
    const tab = entry.indexOf('\t')
    const [mode, , , size] = entry.slice(0, tab).split(/ +/)
    const path = entry.slice(tab + 1)
    entries += 1
    if (mode === '160000') {
      submodules += 1
      return
    }
    bytes += Number(size)
    room += Math.ceil(Number(size) / blockBytes) * blockBytes
    if (path.length > pathBytes || path.split('/').some((name) => name.length > nameBytes)) {
      unwritable = true
      return
    }
    if (mode === '120000') symlinks += 1
    else if (Number(size) >= pointerBytes.least && Number(size) <= pointerBytes.most) pointerCandidates.push(path)
    paths.push(path)
  }

  const result = await git(['ls-tree', '-r', '-l', '-z', '--full-tree', commit], {
    timeoutMilliseconds,
    signal,
    onOutput: (chunk) => {
      const parts = (rest + chunk.toString('latin1')).split('\0')
      rest = parts.pop() ?? ''
      for (const part of parts) take(part)
      return entries <= limits.treeFiles && room <= limits.treeBytes
    },
  })
  if (entries > limits.treeFiles) {
    throw new ScannerFailure('RepositoryTooLarge', `The commit holds more than ${limits.treeFiles} files.`)
  }
  if (room > limits.treeBytes) {
    throw new ScannerFailure(
      'RepositoryTooLarge',
      `The files of the commit take more than ${limits.treeBytes} bytes of the disk.`,
    )
  }
  if (result.exitCode !== 0) {
    const { reason, message } = classifyGitFailure(result.stderr)
    throw new ScannerFailure(reason, message)
  }
  if (unwritable) {
    throw new ScannerFailure(
      'RepositoryUnsafe',
      `A file name of the commit is longer than ${nameBytes} bytes, or its path longer than ${pathBytes}: no file system of the scan can hold it.`,
    )
  }
  return { paths, bytes, submodules, symlinks, pointerCandidates }
}
