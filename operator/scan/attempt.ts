/**
 * One attempt of a ScanRun: everything that its Job, NetworkPolicy and Secret are built from, and the facts that a restarted
 * controller must find again. Those stand as JSON in an annotation of the Job and hold no secret.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { ManagedScan, Policy, ScanRun } from '../api/kinds.ts'
import { annotations } from '../api/names.ts'
import type { Job } from '../kube/objects.ts'
import { productSchema } from './contract/plan.ts'

/** What a restarted controller reads back from the Job. Times are RFC 3339. */
export const attemptFactsSchema = z.object({
  runUid: z.string(),
  number: z.int().min(1),
  repositoryName: z.string(),
  repositoryId: z.string(),
  repository: z.string(),
  branch: z.string().optional(),
  commit: z.string(),
  uploadTokenDigest: z.string(),
  uploadExpirationTime: z.string(),
  products: z.array(productSchema),
  image: z.string(),
  connection: z.string(),
  /** The clone credential was minted for this attempt, so that it is revoked after use. */
  minted: z.boolean(),
})

export type AttemptFacts = z.infer<typeof attemptFactsSchema>

export interface Endpoint {
  /** Name that TLS checks, or an address. */
  readonly host: string
  readonly addresses: readonly string[]
  readonly port: number
}

/** Everything about one attempt. Pure data. */
export interface Attempt {
  readonly run: ScanRun
  readonly managedScan: ManagedScan
  readonly facts: AttemptFacts
  readonly policy: Policy
  readonly cloneUrl: string
  readonly codeHost: Endpoint
  readonly gateway: Endpoint
  /** Addresses that must be unreachable from the pod before the credential is used. */
  readonly forbidden: readonly { readonly host: string; readonly port: number }[]
  readonly username: string
  readonly hasCodeHostCa: boolean
}

/** Where and how scan pods run; the same for all attempts. */
export interface ScanSettings {
  readonly scanNamespace: string
  readonly operatorNamespace: string
  readonly image: string
  readonly imagePullPolicy: string
  readonly imagePullSecrets: readonly string[]
  readonly requireFence: boolean
}

/**
 * Name of the Job, NetworkPolicy and Secret of an attempt: a function of the run and the number, so that creating twice is
 * AlreadyExists. UIDs make it unique over namespaces and over runs that were deleted and made again.
 */
export function attemptName(runUid: string, number: number): string {
  return `scan-${createHash('sha256').update(`${runUid}/${number}`).digest('hex').slice(0, 24)}`
}

/** The facts of a Job of ours; undefined when it is not ours or somebody changed the annotation. */
export function factsOf(job: Job): AttemptFacts | undefined {
  const text = job.metadata.annotations?.[annotations.attempt]
  if (text === undefined) return undefined
  try {
    return attemptFactsSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
