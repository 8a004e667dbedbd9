/**
 * The contract that every code host fulfils, and the neutral words in which the rest of the operator speaks of them.
 * Nothing outside of `scm/<provider>/` asks which provider it is talking to.
 */
import type { ConnectionReason } from '../api/conditions.ts'
import type { ScmConnection } from '../api/kinds.ts'

/** Why a call is made, most urgent first. */
export const priorities = ['PullRequest', 'Manual', 'Initial', 'Weekly', 'Discovery'] as const
export type Priority = (typeof priorities)[number]

/** One repository, keyed by an ID that survives renames and transfers. */
export interface Repository {
  readonly id: string
  readonly fullName: string
  /** Absent in an empty repository. */
  readonly defaultBranch?: string
  readonly cloneUrl: string
  readonly webUrl: string
  readonly visibility: 'Public' | 'Internal' | 'Private'
  readonly archived: boolean
  readonly fork: boolean
  readonly topics: readonly string[]
  readonly language?: string
  readonly sizeKilobytes?: number
}

/** How the operator names a repository in a call: hosts differ in whether they want the ID or the name. */
export type RepositoryRef = Pick<Repository, 'id' | 'fullName' | 'cloneUrl'>

/** What a test of the connection saw. A failure is thrown as ScmError instead. */
export interface ConnectionReport {
  /** Who the credential is at the host. */
  readonly account: string
  /** For example ClassicToken, FineGrainedToken, App. */
  readonly kind: string
  readonly expiresAt?: Date
  /** Permissions as the host names them; undefined where it cannot tell. */
  readonly granted?: readonly string[]
  /** Needed by the connection's features and not granted. */
  readonly missing: readonly string[]
  /** Things that work but that somebody should know, such as partial results. Sentences without secrets. */
  readonly warnings: readonly string[]
}

/** A page of discovery. `unchanged` means that the host confirmed the page of the earlier pass (304). */
export interface RepositoryPage {
  readonly repositories: readonly Repository[]
}

/** What a scan pod logs in with. Narrowed to one repository, read-only, wherever the host allows that. */
export interface CloneCredential {
  readonly username: string
  readonly token: string
  readonly expiresAt?: Date
  /** True when it was minted for this use and may be revoked; false for a token that people made. */
  readonly minted: boolean
}

export interface Head {
  readonly commit: string
  readonly branch?: string
}

/** One connection's client. All calls pass the connection's limiter and end by `signal`. Failures are ScmErrors. */
export interface Scm {
  /** Proves host, certificate, credential, owner and permissions with as few calls as the host allows. */
  testConnection(signal: AbortSignal): Promise<ConnectionReport>
  /** Every repository of the owner, page by page; a failure in the middle throws, so that no short list looks whole. */
  listRepositories(signal: AbortSignal): AsyncIterable<RepositoryPage>
  /** The commit to scan. Throws `BranchNotFound` or `RepositoryEmpty` as the error's `subject`. */
  resolveHead(
    repository: RepositoryRef,
    branch: string | undefined,
    signal: AbortSignal,
    priority?: Priority,
  ): Promise<Head>
  /** Narrowed to the repository where the host can do that; `priority` is that of the scan, Weekly if absent. */
  mintCloneCredential(repository: RepositoryRef, signal: AbortSignal, priority?: Priority): Promise<CloneCredential>
  /** Ends a minted credential. One that is already gone is success. */
  revokeCloneCredential(credential: CloneCredential, signal: AbortSignal): Promise<void>
  /** Frees sockets and timers. */
  close(): Promise<void>
}

/** The connection's secret half, read from its Secret just before use. */
export type Credentials =
  | { readonly kind: 'Token'; readonly token: string }
  | { readonly kind: 'GitHubApp'; readonly appId: number; readonly privateKey: string }

export interface ScmOptions {
  readonly spec: ScmConnection['spec']
  readonly credentials: Credentials
  /** PEM certificates to trust beside the public ones. */
  readonly ca?: string
}

/** What is wrong with one repository or branch while the connection itself is well. */
export type ScmSubject = 'RepositoryNotFound' | 'BranchNotFound' | 'RepositoryEmpty'

/** A failure that is understood. The message is a sentence for people: what was seen and what to do, without secrets. */
export class ScmError extends Error {
  override name = 'ScmError'
  readonly reason: ConnectionReason
  readonly subject?: ScmSubject
  /** When the host asked to wait: the moment before which no call makes sense. */
  readonly retryAt?: Date

  constructor(
    reason: ConnectionReason,
    message: string,
    options: { cause?: unknown; subject?: ScmSubject; retryAt?: Date } = {},
  ) {
    super(message, { cause: options.cause })
    this.reason = reason
    if (options.subject) this.subject = options.subject
    if (options.retryAt) this.retryAt = options.retryAt
  }
}
