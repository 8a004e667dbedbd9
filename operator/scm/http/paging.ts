/** Walks a list page by page. A host that leads elsewhere, in a circle or without end is refused, not followed. */
import { ScmError } from '../types.ts'

/** With 100 entries a page this is more than any owner has. */
const mostPages = 2_000

/** The address of the next page in a Link header (RFC 8288), or undefined on the last one. */
export function nextLink(header: string | null): string | undefined {
  for (const part of header?.split(/,\s*(?=<)/) ?? []) {
    const [, url, attributes = ''] = /^\s*<([^>]*)>(.*)$/s.exec(part) ?? []
    const [, quoted, bare] = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,]+))/i.exec(attributes) ?? []
    const relations = (quoted ?? bare ?? '').toLowerCase().split(/\s+/)
    if (relations.includes('next')) return url
  }
  return undefined
}

export interface Page<T> {
  readonly items: readonly T[]
  /** Link to the next page as the host gave it. */
  readonly next?: string | undefined
}

/**
 * Yields the entries of each page that no earlier page had. Throws ScmError `UnexpectedReply` when a link leaves the
 * host, comes a second time, or leads on although a page brought nothing new.
 */
export async function* pages<T>(
  first: string,
  fetchPage: (url: string) => Promise<Page<T>>,
  keyOf: (item: T) => string,
): AsyncGenerator<readonly T[]> {
  const visited = new Set<string>()
  const known = new Set<string>()
  let url: string | undefined = new URL(first).href
  while (url !== undefined) {
    if (visited.has(url) || visited.size >= mostPages) throw endless()
    visited.add(url)
    const page: Page<T> = await fetchPage(url)
    const fresh = page.items.filter((item) => !known.has(keyOf(item)))
    for (const item of fresh) known.add(keyOf(item))
    if (page.next !== undefined && fresh.length === 0) throw endless()
    if (fresh.length > 0 || visited.size === 1) yield fresh
    url = page.next === undefined ? undefined : sameOrigin(page.next, url)
  }
}

/** Resolves a link against the page it stood on. Throws ScmError when it leads to another host, port or protocol. */
export function sameOrigin(link: string, base: string): string {
  const target = URL.canParse(link, base) ? new URL(link, base) : undefined
  if (target?.origin === new URL(base).origin && !target.username && !target.password) return target.href
  throw new ScmError('UnexpectedReply', 'The code host answered with a link to another host. It was not followed.')
}

function endless(): ScmError {
  return new ScmError('UnexpectedReply', "The code host's list does not end: its pages repeat. The list was not used.")
}
