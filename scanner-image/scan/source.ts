/**
 * Reads pieces of the work tree. Invariants: nothing outside of the tree is read, no symlink is followed, and at most
 * one file of bounded size is held.
 */
import { constants } from 'node:fs'
import { lstat, open } from 'node:fs/promises'
import { join, normalize } from 'node:path'
import type { SourceTree } from '../engines/engine.ts'

const fileBytes = 8 * 1024 * 1024

export function createSourceTree(root: string): SourceTree {
  let held: { readonly path: string; readonly lines: readonly string[] | undefined } | undefined

  return {
    root,
    has: async (path) =>
      isInside(path) &&
      (await lstat(join(root, path)).then(
        (found) => found.isFile(),
        () => false,
      )),
    lines: async (path, from, to) => {
      if (held?.path !== path) held = { path, lines: isInside(path) ? await readLines(join(root, path)) : undefined }
      return held.lines?.slice(from - 1, to)
    },
  }
}

function isInside(path: string): boolean {
  const plain = normalize(path)
  return !plain.startsWith('/') && plain !== '..' && !plain.startsWith('../')
}

async function readLines(path: string): Promise<readonly string[] | undefined> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
    try {
      const found = await file.stat()
      if (!found.isFile() || found.size > fileBytes) return undefined
      return (await file.readFile('utf8')).split('\n')
    } finally {
      await file.close()
    }
  } catch {
    return undefined
  }
}
