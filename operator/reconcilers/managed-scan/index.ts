/** The reconciler of ManagedScans: observe → decide → apply for one key. */
import { isDeepStrictEqual } from 'node:util'
import type { ManagedScan } from '../../api/kinds.ts'
import { apiVersion, fieldManagers, labels } from '../../api/names.ts'
import type { KubeClient } from '../../kube/client.ts'
import { isAlreadyExists } from '../../kube/errors.ts'
import { keyOf } from '../../kube/objects.ts'
import { forEachParallel } from '../../kube/parallel.ts'
import type { Reconcile } from '../../kube/queue.ts'
import { resources } from '../../kube/resources.ts'
import type { Caches } from '../caches.ts'
import { type Action, decide, isOnlyProgress, type Snapshot } from './decide.ts'

export interface ManagedScanDeps {
  readonly client: KubeClient
  readonly caches: Pick<Caches, 'connections' | 'managedScans' | 'repositories' | 'scanRuns'>
  readonly now: () => Date
}

const concurrentWrites = 16
/** While scans run their counts change all the time; one write in this time shows that it goes on. */
const progressMs = 2000

export function createManagedScanReconciler(deps: ManagedScanDeps): Reconcile {
  // When the status of a ManagedScan was written last, by `performance.now()`.
  const written = new Map<string, number>()

  return async (key) => {
    const snapshot = observe(key, deps)
    if (snapshot === undefined) {
      written.delete(key)
      return
    }
    const actions = decide(snapshot, deps.now())
    // The status says what was handled, so it comes after everything else has been done.
    const status = actions.filter((action) => action.type === 'writeStatus')
    const rest = actions.filter((action) => action.type !== 'writeStatus')
    await forEachParallel(rest, concurrentWrites, (action) => perform(action, snapshot.managedScan, deps))
    for (const action of status) {
      if (isDeepStrictEqual(action.status, snapshot.managedScan.status)) return
      const waitMs = (written.get(key) ?? Number.NEGATIVE_INFINITY) + progressMs - performance.now()
      if (waitMs > 0 && isOnlyProgress(snapshot.managedScan.status, action.status)) return { requeueAfterMs: waitMs }
      await perform(action, snapshot.managedScan, deps)
      written.set(key, performance.now())
    }
    return
  }
}

function observe(key: string, { caches }: ManagedScanDeps): Snapshot | undefined {
  const managedScan = caches.managedScans.get(key)
  if (managedScan === undefined) return undefined
  const connectionKey = `${managedScan.metadata.namespace}/${managedScan.spec.connectionRef.name}`
  return {
    managedScan,
    connection: caches.connections.get(connectionKey),
    repositories: caches.repositories.byIndex('connection', connectionKey),
    runs: caches.scanRuns.byIndex('managedScan', key),
  }
}

async function perform(action: Action, managedScan: ManagedScan, deps: ManagedScanDeps): Promise<void> {
  switch (action.type) {
    case 'createRun':
      return createRun(action, managedScan, deps)
    case 'deleteRun': {
      const { metadata } = action.run
      await deps.client.delete(resources.scanRuns, metadata.namespace, metadata.name, { uid: metadata.uid })
      return
    }
    case 'acknowledge': {
      const { name, namespace } = action.repository.metadata
      const status = { lastHandledRequest: action.request }
      const written = await deps.client.apply(
        resources.scmRepositories,
        namespace,
        { apiVersion, kind: 'ScmRepository', metadata: { name, namespace }, status },
        { fieldManager: fieldManagers.managedScan, subresource: 'status' },
      )
      deps.caches.repositories.observe(keyOf(action.repository), written)
      return
    }
    case 'writeStatus': {
      const { name, namespace } = managedScan.metadata
      const written = await deps.client.apply(
        resources.managedScans,
        namespace,
        { apiVersion, kind: 'ManagedScan', metadata: { name, namespace }, status: action.status },
        { fieldManager: fieldManagers.managedScan, subresource: 'status' },
      )
      deps.caches.managedScans.observe(keyOf(managedScan), written)
      return
    }
    default:
      return action satisfies never
  }
}

async function createRun(
  { name, repository, reason }: Extract<Action, { type: 'createRun' }>,
  managedScan: ManagedScan,
  { client, caches }: ManagedScanDeps,
): Promise<void> {
  const { namespace, name: scanName, uid } = managedScan.metadata
  const run = {
    apiVersion,
    kind: 'ScanRun',
    metadata: {
      name,
      namespace,
      labels: {
        [labels.managedScan]: scanName.slice(0, 63),
        [labels.repository]: repository.metadata.name.slice(0, 63),
        [labels.managedBy]: 'scanfleet',
      },
      ownerReferences: [{ apiVersion, kind: 'ManagedScan', name: scanName, uid, controller: true }],
    },
    spec: {
      managedScanRef: { name: scanName },
      repository: { name: repository.metadata.name, fullName: repository.spec.fullName },
      reason,
    },
  }
  try {
    const created = await client.create(resources.scanRuns, namespace, run, { fieldManager: fieldManagers.managedScan })
    caches.scanRuns.observe(`${namespace}/${name}`, created)
  } catch (error) {
    // The name is a function of what it stands for: it has been made already.
    if (!isAlreadyExists(error)) throw error
  }
}
