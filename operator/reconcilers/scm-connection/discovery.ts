/**
 * Turns what a code host lists into ScmRepository objects, page by page. Objects are keyed by the host's immutable ID, so a
 * rename or transfer updates one. A repository that is listed no more is marked and kept; nothing is ever deleted here.
 */
import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { conditionTypes } from '../../api/conditions.ts'
import type { ScmConnection, ScmRepository } from '../../api/kinds.ts'
import { apiVersion, fieldManagers, labels } from '../../api/names.ts'
import type { KubeClient } from '../../kube/client.ts'
import { setCondition, timestamp } from '../../kube/conditions.ts'
import { isAlreadyExists } from '../../kube/errors.ts'
import { forEachParallel } from '../../kube/parallel.ts'
import { resources } from '../../kube/resources.ts'
import type { Store } from '../../kube/store.ts'
import { selector } from '../../scm/repositories.ts'
import type { Repository, Scm } from '../../scm/types.ts'

/** Writes at once. The API server's fair share of one client, not the most that it bears. */
const concurrentWrites = 16

export interface DiscoveryDeps {
  readonly client: KubeClient
  readonly repositories: Store<ScmRepository>
  readonly now: () => Date
}

/** Lists and writes everything; returns how many repositories were selected. A failing list throws and marks nothing. */
export async function discover(
  connection: ScmConnection,
  scm: Scm,
  deps: DiscoveryDeps,
  signal: AbortSignal,
): Promise<number> {
  const { namespace, name: connectionName } = connection.metadata
  const { archived, forks, include, exclude, topics } = connection.spec.discovery
  const isSelected = selector({ include, exclude, topics, archived, forks })
  const listed = new Set<string>()
  for await (const page of scm.listRepositories(signal)) {
    const selected = page.repositories.filter(isSelected)
    await forEachParallel(selected, concurrentWrites, async (repository) => {
      const name = repositoryName(connectionName, repository.id)
      listed.add(name)
      await ensure(connection, name, repository, deps)
    })
  }
  const known = deps.repositories.byIndex('connection', `${namespace}/${connectionName}`)
  const gone = known.filter(({ metadata, status }) => !listed.has(metadata.name) && status?.missingSince === undefined)
  const back = known.filter(({ metadata, status }) => listed.has(metadata.name) && status?.missingSince !== undefined)
  await forEachParallel(gone, concurrentWrites, (repository) => writeListing(repository, false, deps))
  await forEachParallel(back, concurrentWrites, (repository) => writeListing(repository, true, deps))
  return listed.size
}

/** The same for a repository as long as it lives at the host, whatever it is called. */
export function repositoryName(connection: string, id: string): string {
  // Without a dash, so that no other connection's name and ID make the same.
  const suffix = /^[a-z0-9]{1,40}$/.test(id) ? id : createHash('sha256').update(id).digest('hex').slice(0, 20)
  return `${connection}-${suffix}`
}

/** What the operator writes into the spec; `suspend` is not among it, since that belongs to people. */
export function repositorySpec(connection: string, repository: Repository): Omit<ScmRepository['spec'], 'suspend'> {
  const { id, fullName, defaultBranch, cloneUrl, webUrl, visibility, archived, fork, topics, language } = repository
  return {
    connectionRef: { name: connection },
    id,
    fullName,
    ...(defaultBranch !== undefined && { defaultBranch }),
    cloneUrl,
    webUrl,
    visibility,
    archived,
    fork,
    ...(topics.length > 0 && { topics: [...topics] }),
    ...(language !== undefined && { language }),
  }
}

/** Whether the object says something else than the host does. */
export function differs(object: ScmRepository, wanted: Omit<ScmRepository['spec'], 'suspend'>): boolean {
  const { suspend: _, ...current } = object.spec
  return !isDeepStrictEqual(current, wanted)
}

async function ensure(
  connection: ScmConnection,
  name: string,
  repository: Repository,
  deps: DiscoveryDeps,
): Promise<void> {
  const { namespace } = connection.metadata
  const key = `${namespace}/${name}`
  const spec = repositorySpec(connection.metadata.name, repository)
  const object = {
    apiVersion,
    kind: 'ScmRepository',
    metadata: {
      name,
      namespace,
      labels: { [labels.connection]: connection.metadata.name.slice(0, 63), [labels.managedBy]: 'scanfleet' },
    },
    spec,
  }
  const current = deps.repositories.get(key)
  if (current === undefined) {
    try {
      // Plain creates are quicker than applies, and there may be a hundred thousand.
      const created = await deps.client.create(resources.scmRepositories, namespace, object, {
        fieldManager: fieldManagers.connection,
      })
      deps.repositories.observe(key, created)
      return
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
    }
  } else if (!differs(current, spec)) return
  const updated = await deps.client.apply(resources.scmRepositories, namespace, object, {
    fieldManager: fieldManagers.connection,
  })
  deps.repositories.observe(key, updated)
}

async function writeListing(repository: ScmRepository, isListed: boolean, deps: DiscoveryDeps): Promise<void> {
  const { name, namespace, generation } = repository.metadata
  const now = deps.now()
  const [ready] = setCondition(
    repository.status?.conditions?.filter(({ type }) => type === conditionTypes.Ready),
    {
      type: conditionTypes.Ready,
      status: isListed ? 'True' : 'False',
      reason: isListed ? 'Discovered' : 'Missing',
      message: isListed
        ? 'The code host lists the repository.'
        : 'The last complete discovery did not list or select the repository. It and its findings are kept.',
      observedGeneration: generation,
    },
    now,
  )
  const status = { ...(!isListed && { missingSince: timestamp(now) }), conditions: [ready] }
  const object = { apiVersion, kind: 'ScmRepository', metadata: { name, namespace }, status }
  const written = await deps.client.apply(resources.scmRepositories, namespace, object, {
    fieldManager: fieldManagers.connection,
    subresource: 'status',
  })
  deps.repositories.observe(`${namespace}/${name}`, written)
}
