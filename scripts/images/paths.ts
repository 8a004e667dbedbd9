/** Folders that the image builds use: the checkout, and the cache that all checkouts of this machine share. */
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

export const checkout = resolve(import.meta.dirname, '../..')

export function cacheFolder(...names: string[]): string {
  return join(process.env['SCANFLEET_CACHE'] ?? join(homedir(), '.cache', 'scanfleet'), ...names)
}
