/** SHA-256 over a folder: names and contents, in order of the names. Equal digests mean equal rules. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'

export type FolderDigest = { readonly digest: string; readonly files: readonly string[] }

/** The files below `folder` that `accept` takes, as relative paths, and their digest. A missing folder has no files. */
export async function digestFolder(folder: string, accept: (path: string) => boolean): Promise<FolderDigest> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .filter(accept)
    .sort()
  const hash = createHash('sha256')
  for (const file of files) {
    hash.update(`${file}\0`)
    const content = createHash('sha256')
    for await (const chunk of createReadStream(join(folder, file))) content.update(chunk)
    hash.update(content.digest())
  }
  return { digest: hash.digest('hex'), files }
}
