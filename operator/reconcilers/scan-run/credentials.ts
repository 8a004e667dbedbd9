/**
 * Gives back the clone credentials of attempts: deletes the Secret, and revokes at the code host what was minted for this
 * attempt alone. Remembers in memory what it holds and did; after a restart the Secret itself tells, since it lives as long
 * as the Job.
 */
import { LRUCache } from 'lru-cache'
import type { Logger } from 'pino'
import type { KubeClient } from '../../kube/client.ts'
import type { Job } from '../../kube/objects.ts'
import { resources } from '../../kube/resources.ts'
import { factsOf } from '../../scan/attempt.ts'
import { secretKeys } from '../../scan/contract/plan.ts'
import type { CloneCredential } from '../../scm/types.ts'
import type { Clients } from '../scm-connection/clients.ts'
import type { CredentialTimes } from './status.ts'

/** A revocation that the host does not answer ends by itself with the token's own life. */
const revokeTimeoutMs = 15_000
/** Runs whose times wait for their pod to go. A run that was deleted meanwhile never asks for its own. */
const mostTimes = 10_000

export interface Credentials {
  /**
   * Remembers the credential of the Job, so that it can be revoked without reading the Secret. `forget` is called when it
   * has been given back.
   */
  keep(job: Job, credential: CloneCredential, forget: () => void): void
  /** Whether credentials of this connection are still out, so that its client is needed. */
  holds(connection: string): boolean
  isReleased(jobUid: string): boolean
  release(job: Job): Promise<void>
  /** Deletes a Job that was never started, unless it changed since it was seen; then gives its credential back. */
  discard(job: Job): Promise<void>
  /** Ends a credential that no Job ever used. */
  revoke(connection: string, credential: CloneCredential): Promise<boolean>
  /** The times of a run's credential, forgotten after this call. */
  takeTimes(runUid: string): CredentialTimes
  /** The Job is gone, by whomever: what it still held is revoked, and its Secret has gone with it. */
  jobGone(jobUid: string): void
  /** Resolves when no revocation is under way. */
  settled(): Promise<void>
}

export interface CredentialsOptions {
  readonly client: KubeClient
  readonly scanNamespace: string
  readonly clients: Pick<Clients, 'get'>
  readonly log: Logger
  readonly now: () => Date
}

interface Kept {
  readonly credential: CloneCredential
  readonly runUid: string
  readonly connection: string
  readonly forget: () => void
}

export function createCredentials({ client, scanNamespace, clients, log, now }: CredentialsOptions): Credentials {
  const kept = new Map<string, Kept>()
  const released = new Set<string>()
  const times = new LRUCache<string, CredentialTimes>({ max: mostTimes })
  const pending = new Set<Promise<unknown>>()

  async function revoke(connection: string, credential: CloneCredential): Promise<boolean> {
    if (!credential.minted) return false
    try {
      const scm = await clients.get(connection)
      await scm.revokeCloneCredential(credential, AbortSignal.timeout(revokeTimeoutMs))
      return true
    } catch (error) {
      log.warn({ connection, err: error }, 'a clone credential could not be revoked and ends by its own expiry')
      return false
    }
  }

  /** What the Job's pod was given. After a restart a minted token is only in the Secret. */
  async function find(job: Job): Promise<Kept | undefined> {
    const known = kept.get(job.metadata.uid)
    const facts = factsOf(job)
    if (known !== undefined || facts === undefined) return known
    const { runUid, connection, minted } = facts
    const secret = minted ? await client.get(resources.secrets, scanNamespace, job.metadata.name) : undefined
    const encoded = secret?.data?.[secretKeys.token]
    if (encoded === undefined) return undefined
    const token = Buffer.from(encoded, 'base64').toString('utf8')
    return { credential: { username: '', token, minted }, runUid, connection, forget: () => undefined }
  }

  async function giveBack(job: Job, found: Kept | undefined): Promise<void> {
    const { uid, name } = job.metadata
    // Revoked first: a process that is killed in between finds the token in the Secret again.
    const revoked = found && (await revoke(found.connection, found.credential)) ? now() : undefined
    await client.delete(resources.secrets, scanNamespace, name)
    const removed = now()
    found?.forget()
    kept.delete(uid)
    released.add(uid)
    const runUid = factsOf(job)?.runUid
    if (runUid !== undefined) times.set(runUid, { removed, ...(revoked && { revoked }) })
  }

  return {
    keep(job, credential, forget) {
      const facts = factsOf(job)
      if (facts === undefined) throw new Error(`the Job ${job.metadata.name} carries no facts about its attempt`)
      kept.set(job.metadata.uid, { credential, runUid: facts.runUid, connection: facts.connection, forget })
    },
    holds: (connection) => [...kept.values()].some((one) => one.connection === connection),
    isReleased: (jobUid) => released.has(jobUid),
    revoke,
    async release(job) {
      await giveBack(job, await find(job))
    },
    async discard(job) {
      const { name, namespace, uid, resourceVersion } = job.metadata
      // Read first: the deletion takes the Secret with it.
      const found = await find(job)
      const options = { uid, resourceVersion, propagationPolicy: 'Background' } as const
      if (await client.delete(resources.jobs, namespace, name, options)) await giveBack(job, found)
    },
    takeTimes(runUid) {
      const found = times.get(runUid) ?? {}
      times.delete(runUid)
      return found
    },
    jobGone(jobUid) {
      released.delete(jobUid)
      const left = kept.get(jobUid)
      if (left === undefined) return
      const revocation = revoke(left.connection, left.credential).then((done) => {
        kept.delete(jobUid)
        left.forget()
        pending.delete(revocation)
        if (done) times.set(left.runUid, { ...times.get(left.runUid), revoked: now() })
      })
      pending.add(revocation)
    },
    async settled() {
      await Promise.all(pending)
    },
  }
}
