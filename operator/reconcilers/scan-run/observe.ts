/** What is known about one ScanRun, read from the caches alone. */
import type { ManagedScan, ScanRun, ScmConnection, ScmRepository } from '../../api/kinds.ts'
import { labels } from '../../api/names.ts'
import type { Job, Pod } from '../../kube/objects.ts'
import { factsOf } from '../../scan/attempt.ts'
import type { Caches } from '../caches.ts'

export interface Snapshot {
  readonly key: string
  readonly run: ScanRun | undefined
  readonly managedScan: ManagedScan | undefined
  readonly repository: ScmRepository | undefined
  readonly connection: ScmConnection | undefined
  readonly job: Job | undefined
  readonly pod: Pod | undefined
  /** The gate has reserved a place for this run. */
  readonly admitted: boolean
  /** The clone credential of the Job was given back already, as far as this process knows. */
  readonly credentialReleased: boolean
  /** Why the scan namespace is not safe to run in; undefined when it is. */
  readonly namespaceFault: string | undefined
}

/** What this process knows beside the caches. */
export interface Memory {
  readonly isAdmitted: (key: string) => boolean
  readonly isReleased: (jobUid: string) => boolean
  readonly namespaceFault: string | undefined
}

export function observe(key: string, caches: Caches, memory: Memory): Snapshot {
  const run = caches.scanRuns.get(key)
  const namespace = run?.metadata.namespace ?? ''
  const managedScan = run && caches.managedScans.get(`${namespace}/${run.spec.managedScanRef.name}`)
  const repository = run && findRepository(run, managedScan, caches)
  const connection = managedScan && caches.connections.get(`${namespace}/${managedScan.spec.connectionRef.name}`)
  // A Job that only carries our annotation is somebody else's, and never touched.
  const job = caches.jobs.byIndex('run', key).find((candidate) => factsOf(candidate) !== undefined)
  const pod = newest(podsOf(key, run, caches))
  return {
    key,
    run,
    managedScan,
    repository,
    connection,
    job,
    pod,
    admitted: memory.isAdmitted(key),
    credentialReleased: job !== undefined && memory.isReleased(job.metadata.uid),
    namespaceFault: memory.namespaceFault,
  }
}

function findRepository(run: ScanRun, managedScan: ManagedScan | undefined, caches: Caches): ScmRepository | undefined {
  const { namespace } = run.metadata
  const { name, fullName } = run.spec.repository
  if (name !== undefined) return caches.repositories.get(`${namespace}/${name}`)
  if (fullName === undefined || managedScan === undefined) return undefined
  // Several connections may know a repository of that name; the run speaks of its ManagedScan's.
  return caches.repositories
    .byIndex('fullName', `${namespace}/${fullName.toLowerCase()}`)
    .find((repository) => repository.spec.connectionRef.name === managedScan.spec.connectionRef.name)
}

/** A run that was made anew under its old name must not take the last pod of the old one for its own. */
function podsOf(key: string, run: ScanRun | undefined, caches: Caches): readonly Pod[] {
  const pods = caches.pods.byIndex('run', key)
  return run === undefined ? pods : pods.filter(({ metadata }) => metadata.labels?.[labels.run] === run.metadata.uid)
}

function newest(pods: readonly Pod[]): Pod | undefined {
  return [...pods].sort((a, b) => b.metadata.creationTimestamp.localeCompare(a.metadata.creationTimestamp))[0]
}
