/** One job: what the parts of a native cluster share while they start it. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Addresses } from './addresses.ts'
import { request } from './api.ts'
import type { Pki } from './pki.ts'
import { isAlive, logTail, type RecordedProcess } from './processes.ts'

export interface Instance {
  readonly name: string
  readonly folder: string
  readonly mode: 'control-plane' | 'node'
  readonly audit: boolean
  readonly bin: string
  readonly addresses: Addresses
  readonly server: string
  readonly pki: Pki
  /** Starts a component where this cluster's components run, and records it. */
  launch(name: string, command: readonly string[], env?: Readonly<Record<string, string>>): RecordedProcess
  readonly processes: readonly RecordedProcess[]
  logFile(name: string): string
}

/** Polls until `check` holds. @throws with the end of its log when a component ended meanwhile, or after `seconds`. */
export async function until(
  instance: Instance,
  what: string,
  check: () => Promise<boolean>,
  seconds = 180,
): Promise<void> {
  const deadline = Date.now() + seconds * 1000
  while (!(await check().catch(() => false))) {
    const ended = instance.processes.find((process) => !isAlive(process))
    if (ended !== undefined)
      throw new Error(`${ended.name} ended while waiting until ${what}:\n${logTail(instance.logFile(ended.name))}`)
    if (Date.now() > deadline)
      throw new Error(`Waited ${seconds} s until ${what}; see the logs in ${instance.folder}/logs`)
    await sleep(50)
  }
}

/** GET on the API server as the administrator. @returns status and body; rejects while it cannot be reached. */
export function ask(instance: Instance, path: string): Promise<{ status: number; body: string }> {
  return request({
    url: `${instance.server}${path}`,
    caFile: instance.pki.caFile,
    certificateFile: instance.pki.certificate('admin'),
    keyFile: instance.pki.key('admin'),
  })
}
