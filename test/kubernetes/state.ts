/**
 * One job: remember on disk what a cluster consists of, so that another process can use it or take it down.
 * Invariant: everything that has to be removed later is written down before or at the moment it is made.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { processSchema } from './processes.ts'

const recordSchema = z.object({
  name: z.string(),
  mode: z.enum(['control-plane', 'node']),
  /** `native` runs the components on this machine, `k3s` runs K3s in a container. */
  backend: z.enum(['native', 'k3s']),
  audit: z.boolean(),
  /** False until everything works, and after a start that did not end. */
  ready: z.boolean(),
  server: z.string(),
  nodeAddress: z.string(),
  podCidr: z.string(),
  serviceCidr: z.string(),
  processes: z.array(processSchema),
  /** Number of the address block of a native node, see addresses.ts. */
  block: z.number().int().optional(),
  /** The first process of a native node's namespaces. */
  sandbox: processSchema.optional(),
  /** True when this cluster switched on the machine's IPv4 forwarding. */
  forwardingWasOff: z.boolean().optional(),
  /** The container of K3s. */
  container: z.string().optional(),
})
export type ClusterRecord = z.infer<typeof recordSchema>

const namePattern = /^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$/

/** Where clusters live unless the caller says otherwise: the git-ignored `.local` of this checkout. */
export const defaultStateDir: string = fileURLToPath(new URL('../../.local/kubernetes', import.meta.url))

/** @throws a sentence for a name that cannot be a folder, a kubeconfig context and a node. */
export function clusterFolder(stateDir: string, name: string): string {
  if (!namePattern.test(name)) {
    throw new Error(
      `"${name}" cannot be a cluster's name: use up to 32 small letters, digits and dashes, a letter first`,
    )
  }
  return join(stateDir, name)
}

export function writeRecord(folder: string, record: ClusterRecord): void {
  mkdirSync(folder, { recursive: true })
  const path = join(folder, 'cluster.json')
  writeFileSync(`${path}.draft`, JSON.stringify(record, null, 2))
  renameSync(`${path}.draft`, path)
}

export function readRecord(folder: string): ClusterRecord | undefined {
  const path = join(folder, 'cluster.json')
  return existsSync(path) ? recordSchema.parse(JSON.parse(readFileSync(path, 'utf8'))) : undefined
}

export function recordedClusters(stateDir: string): readonly string[] {
  if (!existsSync(stateDir)) return []
  const folders = readdirSync(stateDir, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  return folders
    .map((entry) => entry.name)
    .filter((name) => existsSync(join(stateDir, name, 'cluster.json')))
    .sort()
}
