/** GitHub's words into the operator's. Pure. */
import { type Repository, ScmError } from '../types.ts'
import type { GitHubRepository } from './schema.ts'

/** Throws ScmError when the clone address leads to another host: a credential will be sent there. */
export function toRepository(raw: GitHubRepository, webOrigin: string): Repository {
  const clone = new URL(raw.clone_url)
  if (clone.origin !== webOrigin || clone.username !== '' || clone.password !== '')
    throw new ScmError(
      'UnexpectedReply',
      `The code host gives a clone address of another host than ${new URL(webOrigin).host}. Check the url of the connection.`,
    )
  return {
    id: raw.id,
    fullName: raw.full_name,
    // The host names a default branch even before the first push.
    ...(isEmpty(raw) ? {} : { defaultBranch: raw.default_branch }),
    cloneUrl: raw.clone_url,
    webUrl: raw.html_url,
    visibility: visibilityOf(raw),
    archived: raw.archived,
    fork: raw.fork,
    topics: raw.topics,
    ...(raw.language ? { language: raw.language } : {}),
    ...(raw.size === undefined ? {} : { sizeKilobytes: raw.size }),
  }
}

/** Never pushed to: no time of a push, or that of its making. The size alone lags. */
export function isEmpty(raw: GitHubRepository): boolean {
  return raw.pushed_at === null || (raw.size === 0 && raw.pushed_at !== undefined && raw.pushed_at === raw.created_at)
}

function visibilityOf(raw: GitHubRepository): Repository['visibility'] {
  if (raw.visibility === 'internal') return 'Internal'
  return raw.private ? 'Private' : 'Public'
}

/**
 * When a token expires, from the header `github-authentication-token-expiration`; seen as `2026-11-10 11:20:42 UTC` and
 * with a numeric zone. A moment that has passed while the call succeeds is wrong and counts as unknown.
 */
export function expiryOf(header: string | null, now: Date): Date | undefined {
  const match = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) (UTC|[+-]\d\d:?\d\d)$/.exec(header?.trim() ?? '')
  if (!match) return undefined
  const zone = match[3] === 'UTC' ? 'Z' : (match[3] ?? '').replace(/^([+-]\d\d):?(\d\d)$/, '$1:$2')
  const at = new Date(`${match[1]}T${match[2]}${zone}`)
  return Number.isNaN(at.getTime()) || at <= now ? undefined : at
}
