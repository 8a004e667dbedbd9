/** Failures on demand: the next calls that match are answered as a real host answers on a bad day. */
import type { ServerResponse } from 'node:http'

export interface ScriptedFailure {
  /** Only calls with this method; any if absent. */
  readonly method?: string
  /** Only paths below the mount that match this regular expression; any if absent. */
  readonly path?: string
  /** How often; once if absent. */
  readonly times?: number
  readonly does:
    | {
        readonly kind: 'Reply'
        readonly status: number
        readonly headers?: Record<string, string>
        readonly body?: unknown
      }
    /** Headers that are added to the ordinary answer. */
    | { readonly kind: 'Headers'; readonly headers: Record<string, string> }
    | { readonly kind: 'Page'; readonly status: number; readonly html: string }
    | { readonly kind: 'Never' }
    | { readonly kind: 'Cut' }
    | { readonly kind: 'Huge'; readonly megabytes: number }
}

export interface Script {
  add(failure: ScriptedFailure): void
  /** The failure for this call, used up by asking. */
  take(method: string, path: string): ScriptedFailure['does'] | undefined
  clear(): void
}

export function createScript(): Script {
  let waiting: { failure: ScriptedFailure; left: number }[] = []
  return {
    add: (failure) => {
      waiting.push({ failure, left: failure.times ?? 1 })
    },
    take(method, path) {
      const entry = waiting.find(
        ({ failure }) =>
          (failure.method ?? method) === method && (failure.path === undefined || new RegExp(failure.path).test(path)),
      )
      if (!entry) return undefined
      entry.left--
      waiting = waiting.filter(({ left }) => left > 0)
      return entry.failure.does
    },
    clear: () => {
      waiting = []
    },
  }
}

/** Plays what never becomes a JSON reply. */
export async function play(does: ScriptedFailure['does'], response: ServerResponse): Promise<void> {
  if (does.kind === 'Never') return
  if (does.kind === 'Cut') {
    response.socket?.destroy()
    return
  }
  if (does.kind === 'Page') {
    response.writeHead(does.status, { 'content-type': 'text/html; charset=utf-8' }).end(does.html)
    return
  }
  if (does.kind === 'Huge') await pour(does.megabytes, response)
}

/** As many megabytes as the other side takes. */
async function pour(megabytes: number, response: ServerResponse): Promise<void> {
  const piece = Buffer.alloc(1024 * 1024, ' ')
  response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' })
  for (let sent = 0; sent < megabytes && !response.destroyed; sent++) {
    if (response.write(piece)) continue
    await new Promise<void>((resolve) => {
      const go = () => {
        response.off('drain', go).off('close', go)
        resolve()
      }
      response.on('drain', go).on('close', go)
    })
  }
  response.end()
}

const json = (status: number, message: string, headers: Record<string, string> = {}): ScriptedFailure['does'] => ({
  kind: 'Reply',
  status,
  headers,
  body: { message, documentation_url: 'https://docs.example/rest', status: `${status}` },
})

/** The ways in which GitHub is known to refuse. */
export const failures = {
  badCredentials: () => json(401, 'Bad credentials'),
  samlEnforcement: (url: string) =>
    json(
      403,
      'Resource protected by organization SAML enforcement. You must grant your Personal Access token access to this organization.',
      {
        'x-github-sso': `required; url=${url}`,
      },
    ),
  partialResults: (organizations: readonly number[]): ScriptedFailure['does'] => ({
    kind: 'Headers',
    headers: { 'x-github-sso': `partial-results; organizations=${organizations.join(',')}` },
  }),
  notAccessible: (permissions: string) =>
    json(403, 'Resource not accessible by personal access token', { 'x-accepted-github-permissions': permissions }),
  classicTokensForbidden: () =>
    json(
      403,
      '`acme` forbids access via a personal access token (classic). Please use a GitHub App or a fine-grained token.',
    ),
  addressNotAllowed: () =>
    json(
      403,
      'Although you appear to have the correct authorization credentials, the organization has an IP allow list enabled, and your IP address is not permitted to access this resource.',
    ),
  installationSuspended: () => json(403, 'This installation has been suspended'),
  tooManyLogins: () => json(403, 'Maximum number of login attempts exceeded. Please try again later.'),
  primaryLimit: (reset: Date) =>
    json(403, 'API rate limit exceeded for installation.', {
      'x-ratelimit-limit': '5000',
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset': String(Math.ceil(reset.getTime() / 1000)),
    }),
  secondaryLimit: (seconds?: number) =>
    json(403, 'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.', {
      ...(seconds === undefined ? {} : { 'retry-after': String(seconds) }),
    }),
  tooManyRequests: (seconds: number) => json(429, 'Too many requests', { 'retry-after': String(seconds) }),
  retiredVersion: () => json(410, 'This API version is no longer supported.'),
  validation: () => json(422, 'Validation Failed'),
  serverError: (status = 502) => json(status, 'Server Error'),
  signInPage: (status = 200): ScriptedFailure['does'] => ({
    kind: 'Page',
    status,
    html: '<html><body>Sign in</body></html>',
  }),
  redirect: (location: string, status = 302): ScriptedFailure['does'] => ({
    kind: 'Reply',
    status,
    headers: { location },
    body: { message: 'Moved' },
  }),
  nextPage: (url: string): ScriptedFailure['does'] => ({ kind: 'Headers', headers: { link: `<${url}>; rel="next"` } }),
  never: (): ScriptedFailure['does'] => ({ kind: 'Never' }),
  cut: (): ScriptedFailure['does'] => ({ kind: 'Cut' }),
  huge: (megabytes: number): ScriptedFailure['does'] => ({ kind: 'Huge', megabytes }),
} as const
