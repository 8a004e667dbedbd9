/**
 * What the controller keeps of the cluster: one informer for each kind, reduced to the fields that decisions need, with the
 * indexes by which they are found. Secrets and ConfigMaps are never cached.
 */
import type { Logger } from 'pino'
import type { KubeObject, ManagedScan, ScanRun, ScmConnection, ScmRepository } from '../api/kinds.ts'
import { annotations, labels } from '../api/names.ts'
import type { KubeClient } from '../kube/client.ts'
import { createInformer, type Informer } from '../kube/informer.ts'
import { type Job, type Pod, projectMetadata, splitKey } from '../kube/objects.ts'
import { type Resource, resources } from '../kube/resources.ts'
import type { Store } from '../kube/store.ts'
import { factsOf } from '../scan/attempt.ts'
import type { Metrics } from '../telemetry/metrics.ts'

export interface Caches {
  readonly connections: Store<ScmConnection>
  /** Indexes: `connection` ns/name, `fullName` ns/lower-case full name. */
  readonly repositories: Store<ScmRepository>
  /** Index: `connection` ns/name. */
  readonly managedScans: Store<ManagedScan>
  /** Index: `managedScan` ns/name. */
  readonly scanRuns: Store<ScanRun>
  /** Jobs of scans. Index: `run` ns/name. */
  readonly jobs: Store<Job>
  /** Pods of scans. Index: `run` ns/name. */
  readonly pods: Store<Pod>
}

/** Called with the key of an object that changed, and with what it is and was. */
export type Listener<T> = (key: string, current: T | undefined, previous: T | undefined) => void

export interface Listeners {
  readonly connections: Listener<ScmConnection>
  readonly repositories: Listener<ScmRepository>
  readonly managedScans: Listener<ManagedScan>
  readonly scanRuns: Listener<ScanRun>
  readonly jobs: Listener<Job>
  readonly pods: Listener<Pod>
}

export interface CacheOptions {
  readonly client: KubeClient
  readonly watchNamespaces: readonly string[]
  readonly scanNamespace: string
  readonly listeners: Listeners
  readonly log: Logger
  readonly metrics: Metrics
}

export function createCaches(options: CacheOptions): { caches: Caches; informers: readonly Informer<KubeObject>[] } {
  const { listeners, watchNamespaces } = options
  const scanPods = { namespaces: [options.scanNamespace], labelSelector: `${labels.component}=scan` }
  const all = { namespaces: watchNamespaces }
  const isWatched = (key: string) => watchNamespaces.length === 0 || watchNamespaces.includes(splitKey(key).namespace)
  // Another installation may use the same scan namespace for other teams; what serves them is none of our business.
  const runsOf = (object: KubeObject) => runOf(object).filter(isWatched)

  const connections = informer(resources.scmConnections, listeners.connections, { ...all, project: whole })
  const repositories = informer(resources.scmRepositories, listeners.repositories, {
    ...all,
    project: whole,
    indexes: {
      connection: (repository) => [`${repository.metadata.namespace}/${repository.spec.connectionRef.name}`],
      fullName: (repository) => [`${repository.metadata.namespace}/${repository.spec.fullName.toLowerCase()}`],
    },
  })
  const managedScans = informer(resources.managedScans, listeners.managedScans, {
    ...all,
    project: whole,
    indexes: { connection: (scan) => [`${scan.metadata.namespace}/${scan.spec.connectionRef.name}`] },
  })
  const scanRuns = informer(resources.scanRuns, listeners.scanRuns, {
    ...all,
    project: whole,
    indexes: { managedScan: (run) => [`${run.metadata.namespace}/${run.spec.managedScanRef.name}`] },
  })
  const jobs = informer(resources.jobs, listeners.jobs, {
    ...scanPods,
    project: projectJob,
    indexes: { run: runsOf },
  })
  const pods = informer(resources.pods, listeners.pods, { ...scanPods, project: projectPod, indexes: { run: runsOf } })

  function informer<T extends KubeObject>(
    resource: Resource<T>,
    onChange: Listener<T>,
    rest: {
      namespaces: readonly string[]
      labelSelector?: string
      project: (raw: T) => T
      indexes?: Record<string, (object: T) => readonly string[]>
    },
  ): Informer<T> {
    const { client, log, metrics } = options
    return createInformer<T>({ client, resource, onChange, log, metrics, ...rest })
  }

  const informers = [connections, repositories, managedScans, scanRuns, jobs, pods]
  return {
    caches: {
      connections: connections.store,
      repositories: repositories.store,
      managedScans: managedScans.store,
      scanRuns: scanRuns.store,
      jobs: jobs.store,
      pods: pods.store,
    },
    informers: informers as readonly Informer<KubeObject>[],
  }
}

/** Run, ManagedScan and connection that a Job holds places of. */
export function holderOf(job: Job): { key: string; managedScan: string; connection: string } | undefined {
  const [key] = runOf(job)
  const [managedScan] = annotationOf(job, annotations.managedScan)
  const connection = factsOf(job)?.connection
  return key && managedScan && connection ? { key, managedScan, connection } : undefined
}

/** `namespace/name` of the ScanRun that a Job or a pod serves; none when it is not ours. */
export function runOf(object: KubeObject): readonly string[] {
  return annotationOf(object, annotations.run)
}

function annotationOf(object: KubeObject, name: string): readonly string[] {
  const value = object.metadata.annotations?.[name]
  return value === undefined ? [] : [value]
}

/** Our own kinds are small: all but managedFields is kept. */
function whole<T extends KubeObject & { spec: unknown; status?: unknown }>(raw: T): T {
  const { metadata, spec, status } = raw
  return { metadata: projectMetadata(metadata), spec, ...(status !== undefined && { status }) } as T
}

function projectJob({ metadata, spec, status }: Job): Job {
  return {
    metadata: projectMetadata(metadata),
    spec: { ...(spec.suspend !== undefined && { suspend: spec.suspend }) },
    ...(status?.conditions && { status: { conditions: status.conditions } }),
  }
}

function projectPod({ metadata, spec, status }: Pod): Pod {
  return {
    metadata: projectMetadata(metadata),
    spec: { ...(spec.nodeName !== undefined && { nodeName: spec.nodeName }) },
    status: {
      ...(status?.phase !== undefined && { phase: status.phase }),
      ...(status?.reason !== undefined && { reason: status.reason }),
      ...(status?.message !== undefined && { message: status.message }),
      ...(status?.conditions && { conditions: status.conditions.filter(({ type }) => type === 'PodScheduled') }),
      ...(status?.containerStatuses && {
        containerStatuses: status.containerStatuses.map(({ name, state }) => ({ name, ...(state && { state }) })),
      }),
    },
  }
}
