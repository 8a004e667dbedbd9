/**
 * What the containers of a scan pod say when they end: an exit code and, in the termination message, one JSON document.
 * The controller classifies a failed attempt by these and by what the kubelet reports; it never parses logs.
 */
import { z } from 'zod'

/** Every reason that a container of the scan pod may give for a failure, with its exit code. */
export const exitCodes = {
  /** A forbidden address stayed reachable, so the credential was never used. */
  IsolationNotEnforced: 10,
  /** The code host did not answer on its address and port. */
  CodeHostUnreachable: 11,
  /** The code host's certificate is not trusted. */
  CodeHostTlsNotTrusted: 12,
  /** The code host refused the credential or hides the repository from it. */
  CloneRefused: 13,
  /** The commit or branch is not in the repository. */
  CommitNotFound: 14,
  /** The repository exceeds the limit of files or bytes. Found before anything was written to the work tree. */
  RepositoryTooLarge: 15,
  /** The volume is full. */
  DiskFull: 16,
  /** The repository failed git's integrity checks or carries paths that no scan should see. */
  RepositoryUnsafe: 17,
  /** Any other failure of git. */
  CloneFailed: 18,
  /** The clone container failed, so there was nothing to scan; its own reason counts. */
  NothingHandedOver: 20,
  /** Rules or the advisory database are missing or unreadable: clean has to be proven. */
  ScannerIncomplete: 21,
  /** An engine ended with an error. */
  EngineFailed: 22,
  /** An engine passed its time limit. */
  EngineTimedOut: 23,
  /** The gateway refused the result for good. */
  ResultRefused: 24,
  /** The gateway did not accept the result before the deadline. */
  ResultNotDelivered: 25,
  /** The result exceeds what the gateway accepts. */
  ResultTooLarge: 26,
  /** A plan that the controller handed over does not fit its schema. */
  PlanInvalid: 30,
  /** A fault of the scanner's own. */
  InternalError: 31,
} as const

export type ExitReason = keyof typeof exitCodes

/** Written to the container's termination message path (4096 bytes at most); the message is a sentence without secrets. */
export const terminationSchema = z.object({
  reason: z.enum(Object.keys(exitCodes) as [ExitReason, ...ExitReason[]]),
  message: z.string().max(2000),
})

export type Termination = z.infer<typeof terminationSchema>

export const terminationMessagePath = '/dev/termination-log'
