/**
 * Writes the files of a commit that was found to be within the limits. Invariants: only listed paths are written, only
 * below the checkout; a symlink becomes a plain file that holds its target; content is written as it is stored, since
 * the repository's own attributes do not count; no `.git` lies beside the files.
 */
import { mkdir, open } from 'node:fs/promises'
import { ScannerFailure } from '../shared/failure.ts'
import { classifyGitFailure } from './failure.ts'
import type { Git } from './git.ts'
import type { Tree } from './tree.ts'

const pointerStart = Buffer.from('version https://git-lfs.github.com/spec/')

/** Writes the tree. @throws ScannerFailure DiskFull, RepositoryUnsafe, CloneFailed */
export async function checkOut(
  git: Git,
  commit: string,
  tree: Tree,
  checkout: string,
  timeoutMilliseconds: number,
  signal: AbortSignal,
): Promise<void> {
  await mkdir(checkout, { recursive: true })
  const options = { timeoutMilliseconds, signal, workingDirectory: checkout }
  const index = await git(['read-tree', commit], options)
  if (index.exitCode !== 0) throw toFailure(index.stderr)
  const input = Buffer.from(tree.paths.map((path) => `${path}\0`).join(''), 'latin1')
  const written = await git([`--work-tree=${checkout}`, 'checkout-index', '--quiet', '-z', '--stdin'], {
    ...options,
    input,
  })
  if (written.exitCode !== 0) throw toFailure(written.stderr)
}

/** How many of the files are pointers to Git LFS objects, which are not fetched and therefore not scanned. */
export async function countLfsPointers(checkout: string, candidates: readonly string[]): Promise<number> {
  let pointers = 0
  for (const path of candidates) {
    const file = await open(Buffer.concat([Buffer.from(`${checkout}/`), Buffer.from(path, 'latin1')]), 'r')
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(pointerStart.length), 0, pointerStart.length, 0)
      if (bytesRead === pointerStart.length && buffer.equals(pointerStart)) pointers += 1
    } finally {
      await file.close()
    }
  }
  return pointers
}

function toFailure(stderr: string): ScannerFailure {
  const { reason, message } = classifyGitFailure(stderr)
  return new ScannerFailure(reason, message)
}
