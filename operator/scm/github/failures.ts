/**
 * Why GitHub refused a call, in the operator's words. Status and headers decide first, the text of the message last.
 * Nothing that the host wrote is repeated, except permission names and addresses of the host itself after a check.
 */

import { rateLimited } from '../http/limiter.ts'
import { limitsOf } from '../http/limits.ts'
import { ScmError } from '../types.ts'

/** An answer of 400 and above. Internal: whoever knows what the call was for turns it into an ScmError. */
export class Refusal extends Error {
  override name = 'Refusal'
  readonly status: number
  readonly headers: Headers
  readonly text: string

  constructor(status: number, headers: Headers, text: string) {
    super(`The code host answered with status ${status}.`)
    this.status = status
    this.headers = headers
    this.text = text
  }
}

export interface Circumstances {
  readonly now: Date
  readonly credential: 'Token' | 'App'
  /** Origin of the host's pages; addresses elsewhere are not shown to people. */
  readonly webOrigin: string
  /** When the token was said to expire, as far as it was seen. */
  readonly expiresAt?: Date | undefined
}

/** When the refusal is a rate limit: the moment to come back. */
export function rateLimitEnd(refusal: Refusal, now: Date): Date | undefined {
  if (refusal.status !== 403 && refusal.status !== 429) return undefined
  const { remaining, resetAt, retryAt } = limitsOf(refusal.headers, now)
  if (retryAt) return retryAt
  if (remaining === 0 && resetAt) return resetAt
  const said = refusal.status === 429 || /secondary rate limit|abuse detection/i.test(refusal.text)
  if (said) return new Date(now.getTime() + 60_000)
  const lockedOut = /maximum number of login attempts/i.test(refusal.text)
  return lockedOut ? new Date(now.getTime() + 10 * 60_000) : undefined
}

export function explain(refusal: Refusal, about: Circumstances): ScmError {
  const limited = rateLimitEnd(refusal, about.now)
  if (limited) return rateLimited(limited)
  if (refusal.status >= 500)
    return new ScmError('HostUnreachable', `GitHub answers with status ${refusal.status}. It is tried again.`)
  if (!isApiAnswer(refusal)) return notTheApi(refusal.status)
  if (refusal.status === 401) return unauthenticated(refusal, about)
  if (refusal.status === 403) return forbidden(refusal, about)
  if (refusal.status === 410)
    return new ScmError('UnexpectedReply', 'GitHub no longer serves this version of its API. Update the operator.')
  return notTheApi(refusal.status)
}

export function notTheApi(status: number): ScmError {
  return new ScmError(
    'UnexpectedReply',
    `The answer (status ${status}) is not that of GitHub's API. Check that the url is the base address of GitHub and that no sign-in page or proxy stands before it.`,
  )
}

/** The permissions in X-Accepted-GitHub-Permissions, such as `contents:read`; the first of several alternatives. */
export function acceptedPermissions(headers: Headers): string[] {
  const [first = ''] = (headers.get('x-accepted-github-permissions') ?? '').split(';')
  return [...first.matchAll(/\b([a-z_]{1,50})=(read|write|admin)\b/g)].map(([, name, level]) => `${name}:${level}`)
}

/** Organizations that X-GitHub-SSO says were left out of an answer. */
export function organizationsLeftOut(headers: Headers): number {
  const match = /^\s*partial-results;\s*organizations=([\d,]+)/.exec(headers.get('x-github-sso') ?? '')
  return match?.[1]?.split(',').filter((id) => id !== '').length ?? 0
}

function unauthenticated(refusal: Refusal, about: Circumstances): ScmError {
  if (/'(exp|iat)'|expiration time|issued at/i.test(refusal.text))
    return new ScmError(
      'AuthenticationFailed',
      "GitHub refuses the time in the App's signature. Set the cluster's clocks.",
    )
  if (about.credential === 'App')
    return new ScmError(
      'AuthenticationFailed',
      'GitHub refuses the App. Check that the private key belongs to credentials.githubApp.appId and has not been deleted.',
    )
  if (about.expiresAt && about.expiresAt <= about.now)
    return new ScmError('CredentialExpired', `The token expired at ${about.expiresAt.toISOString()}. Make a new one.`)
  return new ScmError(
    'AuthenticationFailed',
    'GitHub refuses the token: it is wrong, revoked or expired. Make a new one and write it into the Secret.',
  )
}

function forbidden(refusal: Refusal, about: Circumstances): ScmError {
  const sso = refusal.headers.get('x-github-sso') ?? ''
  if (sso.startsWith('required') || /SAML enforcement/i.test(refusal.text)) return ssoRequired(sso, about)
  if (/installation has been suspended/i.test(refusal.text)) return suspended()
  if (/forbids access via|IP allow list|not permitted to use|allow_list|lifetime is greater/i.test(refusal.text))
    return new ScmError(
      'ForbiddenByPolicy',
      'A policy of the organization refuses this kind of token or the address of this cluster. An owner of the organization has to change it.',
    )
  const needed = acceptedPermissions(refusal.headers)
  return new ScmError(
    'PermissionMissing',
    needed.length > 0
      ? `The credential lacks the permission ${needed.join(', ')}. Grant it at GitHub.`
      : 'The credential lacks a permission that this call needs. Grant it at GitHub.',
  )
}

export function suspended(): ScmError {
  return new ScmError('InstallationSuspended', 'The installation of the GitHub App is suspended. Resume it at GitHub.')
}

function ssoRequired(header: string, about: Circumstances): ScmError {
  const url = /url=(\S{1,500})$/.exec(header)?.[1]
  const shown = url && URL.canParse(url) && new URL(url).origin === about.webOrigin ? ` at ${url}` : ' at GitHub'
  return new ScmError(
    'SsoAuthorizationRequired',
    `The organization uses single sign-on. Authorize the token for it${shown}.`,
  )
}

/** GitHub answers in JSON even when it refuses; anything else comes from something that stands before it. */
function isApiAnswer(refusal: Refusal): boolean {
  return (refusal.headers.get('content-type') ?? '').includes('json')
}
