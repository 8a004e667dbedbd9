/**
 * Gives back the clone credentials of attempts: deletes the Secret, and revokes at the code host what was minted for this
 * attempt alone. Remembers in memory what it did; after a restart the Secret itself tells, since it lives as long as the Job.
 */
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

export interface Credentials {
  /**
   * Remembers the credential of the Job, so that it can be revoked without reading the Secret. `forget` is called when it
   * has been given back.
   */
  keep(jobUid: string, credential: CloneCredential, forget: () => void): void
  isReleased(jobUid: string): boolean
  release(job: Job): Promise<void>
  /** Ends a credential that no Job ever used. */
  revoke(connection: string, credential: CloneCredential): Promise<boolean>
  /** The times of a run's credential, forgotten after this call. */
  takeTimes(runUid: string): CredentialTimes
  /** The Job is gone, so nobody will ask about it again. */
  forget(jobUid: string): void
}

export interface CredentialsOptions {
  readonly client: KubeClient
  readonly scanNamespace: string
  readonly clients: Clients
  readonly log: Logger
  readonly now: () => Date
}

export function createCredentials({ client, scanNamespace, clients, log, now }: CredentialsOptions): Credentials {
  const kept = new Map<string, { readonly credential: CloneCredential; readonly forget: () => void }>()
  const released = new Set<string>()
  const times = new Map<string, CredentialTimes>()

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

  /** After a restart the token is only in the Secret. */
  async function readBack(job: Job): Promise<CloneCredential | undefined> {
    const secret = await client.get(resources.secrets, scanNamespace, job.metadata.name)
    const token = secret?.data?.[secretKeys.token]
    if (token === undefined) return undefined
    return { username: '', token: Buffer.from(token, 'base64').toString('utf8'), minted: true }
  }

  return {
    keep: (jobUid, credential, forget) => void kept.set(jobUid, { credential, forget }),
    isReleased: (jobUid) => released.has(jobUid),
    revoke,
    async release(job) {
      const { uid, name } = job.metadata
      const facts = factsOf(job)
      const credential = kept.get(uid)?.credential ?? (facts?.minted ? await readBack(job) : undefined)
      await client.delete(resources.secrets, scanNamespace, name)
      const removed = now()
      const revoked = credential && facts && (await revoke(facts.connection, credential)) ? now() : undefined
      kept.get(uid)?.forget()
      kept.delete(uid)
      released.add(uid)
      if (facts) times.set(facts.runUid, { removed, ...(revoked && { revoked }) })
    },
    takeTimes(runUid) {
      const found = times.get(runUid) ?? {}
      times.delete(runUid)
      return found
    },
    forget(jobUid) {
      released.delete(jobUid)
      kept.get(jobUid)?.forget()
      kept.delete(jobUid)
    },
  }
}
