/**
 * The ScanRuns and ScmRepositories that results speak of, from caches that follow the API server. The gateway keeps of a
 * run only what decides about its result.
 */
import type { Logger } from 'pino'
import type { Condition, ScanRun, ScmRepository } from '../api/kinds.ts'
import type { KubeClient } from '../kube/client.ts'
import { createInformer, type Informer } from '../kube/informer.ts'
import { projectMetadata } from '../kube/objects.ts'
import { resources } from '../kube/resources.ts'
import type { Metrics } from '../telemetry/metrics.ts'

export interface Runs {
  readonly informers: readonly [Informer<ScanRun>, Informer<ScmRepository>]
  find(uid: string): ScanRun | undefined
  /** Waits for the cache to show a run that fits: the status write may be milliseconds behind the pod. */
  waitFor(uid: string, fits: (run: ScanRun) => boolean, timeoutMs: number): Promise<ScanRun | undefined>
  repositoryOf(run: ScanRun): ScmRepository | undefined
  /** Puts the answer of our own write into the cache. */
  observe(run: ScanRun): void
}

type Attempt = NonNullable<NonNullable<ScanRun['status']>['attempt']>

export interface RunsOptions {
  readonly client: KubeClient
  /** Empty for all. */
  readonly namespaces: readonly string[]
  readonly log: Logger
  readonly metrics: Metrics
}

export function createRuns(options: RunsOptions): Runs {
  const waiters = new Map<string, Set<() => void>>()

  const runs = createInformer({
    ...options,
    resource: resources.scanRuns,
    project: projectRun,
    indexes: { uid: (run: ScanRun) => [run.metadata.uid] },
    onChange(_key, current) {
      if (current) for (const look of waiters.get(current.metadata.uid) ?? []) look()
    },
  })
  const repositories = createInformer({
    ...options,
    resource: resources.scmRepositories,
    project: projectRepository,
    onChange: () => undefined,
  })

  function find(uid: string): ScanRun | undefined {
    return runs.store.byIndex('uid', uid)[0]
  }

  function waitFor(uid: string, fits: (run: ScanRun) => boolean, timeoutMs: number): Promise<ScanRun | undefined> {
    const now = find(uid)
    if (now && fits(now)) return Promise.resolve(now)
    return new Promise((resolve) => {
      const own = waiters.get(uid) ?? new Set()
      waiters.set(uid, own)
      const end = (run: ScanRun | undefined) => {
        clearTimeout(timer)
        own.delete(look)
        if (own.size === 0) waiters.delete(uid)
        resolve(run)
      }
      const look = () => {
        const run = find(uid)
        if (run && fits(run)) end(run)
      }
      const timer = setTimeout(() => end(undefined), timeoutMs)
      own.add(look)
    })
  }

  return {
    informers: [runs, repositories],
    find,
    waitFor,
    repositoryOf: (run) => repositories.store.get(`${run.metadata.namespace}/${run.status?.repositoryName}`),
    observe: (run) => runs.store.observe(`${run.metadata.namespace}/${run.metadata.name}`, run),
  }
}

function projectRun({ metadata, spec, status }: ScanRun): ScanRun {
  const { namespace, name, uid, resourceVersion, creationTimestamp, generation } = projectMetadata(metadata)
  const { repository, repositoryName, repositoryId, branch, commit, startTime, attempt } = status ?? {}
  const conditions: readonly Condition[] | undefined = status?.conditions
  return {
    metadata: {
      namespace,
      name,
      uid,
      resourceVersion,
      creationTimestamp,
      ...(generation !== undefined && { generation }),
    },
    spec,
    status: {
      ...(conditions && { conditions: [...conditions] }),
      ...(attempt && { attempt: conditions?.some(isEnd) ? projectEndedAttempt(attempt) : attempt }),
      ...(repository !== undefined && { repository }),
      ...(repositoryName !== undefined && { repositoryName }),
      ...(repositoryId !== undefined && { repositoryId }),
      ...(branch !== undefined && { branch }),
      ...(commit !== undefined && { commit }),
      ...(startTime !== undefined && { startTime }),
    },
  }
}

/** An ended run accepts nothing any more; its token only tells who may be told so. */
function projectEndedAttempt({ number, uploadTokenDigest }: Attempt): Attempt {
  return { ...(number !== undefined && { number }), ...(uploadTokenDigest !== undefined && { uploadTokenDigest }) }
}

function isEnd({ type, status }: Condition): boolean {
  return status === 'True' && (type === 'Complete' || type === 'Failed')
}

function projectRepository({ metadata, spec }: ScmRepository): ScmRepository {
  const { namespace, name, uid, resourceVersion, creationTimestamp } = metadata
  const { connectionRef, id, fullName, defaultBranch } = spec
  return {
    metadata: { namespace, name, uid, resourceVersion, creationTimestamp },
    spec: { connectionRef, id, fullName, ...(defaultBranch !== undefined && { defaultBranch }) },
    status: {},
  }
}
