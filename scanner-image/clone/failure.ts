/**
 * Reads git's standard error and says why a fetch failed. The texts are those of git 2.47 and libcurl with GnuTLS or
 * OpenSSL, in the C locale; tests provoke each of them with real servers. Invariant: what is not recognised is
 * `CloneFailed` with git's own last line, never a success.
 */
import type { ExitReason } from '../../operator/scan/contract/exit.ts'
import { printable } from '../shared/printable.ts'

type Pattern = { readonly reason: ExitReason; readonly text: RegExp; readonly says: string }

/** First match counts, so the specific stands before the general. */
const patterns: readonly Pattern[] = [
  { reason: 'DiskFull', text: /No space left on device|Disk quota exceeded/i, says: 'The volume of the scan is full.' },
  {
    reason: 'CodeHostTlsNotTrusted',
    text: /certificate verification failed|SSL certificate problem|unable to get local issuer|self[- ]signed certificate|no alternative certificate subject name|certificate has expired|CAfile|SSL: no alternative/i,
    says: "The code host's certificate is not trusted. If the host uses its own authority, name it in the connection's tls.caConfigMapRef.",
  },
  {
    reason: 'CommitNotFound',
    text: /not our ref|does not allow request for unadvertised object|couldn't find remote ref|no such remote ref/i,
    says: 'The commit is not in the repository.',
  },
  {
    reason: 'CloneRefused',
    text: /returned error: 40[134]|Authentication failed|could not read (Username|Password)|repository '.*' not found|HTTP 40[134]|access denied/i,
    says: 'The code host refused the credential or hides the repository from it.',
  },
  {
    reason: 'RepositoryUnsafe',
    text: /fsck error|error: object [0-9a-f]+: |invalid path|refusing to (merge|fetch|write)|unable to update url base from redirection|redirection/i,
    says: 'The repository fails the integrity checks of git or was redirected elsewhere.',
  },
  {
    reason: 'CodeHostUnreachable',
    text: /Could not resolve host|Failed to connect|Connection (refused|timed out|reset)|Couldn't connect|Recv failure|Empty reply|returned error: 5\d\d|returned error: 429|early EOF|transfer closed|Operation too slow|hung up unexpectedly/i,
    says: 'The code host did not answer as it should.',
  },
]

export type GitFailure = { readonly reason: ExitReason; readonly message: string }

/** Why git failed, from what it printed. `stderr` must be redacted already. */
export function classifyGitFailure(stderr: string): GitFailure {
  const match = patterns.find(({ text }) => text.test(stderr))
  const lines = stderr.split('\n').filter((line) => /^(fatal|error|remote):/.test(line.trim()))
  const detail = (lines.at(-1) ?? stderr.trim().split('\n').at(-1) ?? '').trim()
  return {
    reason: match?.reason ?? 'CloneFailed',
    message: `${match?.says ?? 'git failed.'} git said: ${printable(detail)}`.slice(0, 1000),
  }
}

/** Whether a fetch may be tried again with the same credential: hosts need a moment to know a fresh token. */
export function mayBeFreshToken(failure: GitFailure): boolean {
  return failure.reason === 'CloneRefused'
}
