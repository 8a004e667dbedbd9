/**
 * One job: remember what the demo made, so that `down` removes exactly that, also after a crash. Invariant: a thing is
 * written down before it is made.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { processSchema } from '../../test/kubernetes/processes.ts'
import { demoFolder } from './settings.ts'

const recordSchema = z.object({
  /** A cluster of our own was started. */
  cluster: z.boolean().optional(),
  /** An engine to build images with was started for the demo. */
  imageBuilder: z.boolean().optional(),
  /** The existing cluster that the demo was installed into. */
  context: z.string().optional(),
  /** What of ours was not there before, in that cluster. */
  made: z.object({ definitions: z.boolean(), namespaces: z.array(z.string()) }).optional(),
  codeHost: z.object({ process: processSchema, fingerprint: z.string(), address: z.string() }).optional(),
})

export type DemoRecord = z.infer<typeof recordSchema>

const file = join(demoFolder, 'record.json')

export function readRecord(): DemoRecord {
  try {
    return recordSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw new Error(`${file} is not readable; remove what it speaks of by hand, then the file.`, { cause: error })
  }
}

/** Writes these parts over what is recorded; `undefined` forgets a part. */
export function remember(parts: { [K in keyof DemoRecord]: DemoRecord[K] | undefined }): void {
  mkdirSync(demoFolder, { recursive: true })
  writeFileSync(`${file}.draft`, JSON.stringify({ ...readRecord(), ...parts }, null, 2))
  renameSync(`${file}.draft`, file)
}

export function forgetAll(): void {
  rmSync(demoFolder, { recursive: true, force: true })
}
