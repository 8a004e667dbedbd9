/**
 * The Kubernetes API as verbs over typed resources. Invariant: JSON in, JSON out, no cache and no state but the pool of
 * connections; what the server refuses is a KubeError.
 */
import type { Metrics } from '../telemetry/metrics.ts'
import type { Connection } from './connection.ts'
import { errorFromWatch, isNotFound, KubeError } from './errors.ts'
import { pathOf, type Resource } from './resources.ts'
import { type ApiRequest, createTransport } from './transport.ts'
import { parseWatch, type WatchEvent } from './watch.ts'

export interface ListOptions {
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string
  readonly limit?: number
  readonly continue?: string | undefined
  readonly resourceVersion?: string
  readonly signal?: AbortSignal
}

export interface ListAnswer<T> {
  readonly items: T[]
  readonly resourceVersion: string
  /** Token of the next page; absent on the last. */
  readonly continue?: string
}

export interface WatchOptions {
  readonly resourceVersion: string
  readonly labelSelector?: string | undefined
  /** After this time the server ends the watch. */
  readonly timeoutSeconds: number
  readonly signal: AbortSignal
}

export interface DeleteOptions {
  /** Precondition: a namesake that was made later is left alone. */
  readonly uid?: string
  readonly resourceVersion?: string
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan'
  readonly gracePeriodSeconds?: number
  readonly signal?: AbortSignal
}

interface WriteOptions {
  readonly fieldManager?: string
  readonly signal?: AbortSignal
}

export interface KubeClient {
  /** Undefined when there is no such object. */
  get<T>(
    resource: Resource<T>,
    namespace: string | undefined,
    name: string,
    options?: { signal?: AbortSignal },
  ): Promise<T | undefined>
  list<T>(resource: Resource<T>, namespace: string | undefined, options?: ListOptions): Promise<ListAnswer<T>>
  /** Also for reviews such as TokenReview, without a namespace. Unknown fields are refused. */
  create<T>(
    resource: Resource<T>,
    namespace: string | undefined,
    object: unknown,
    options?: WriteOptions & { readonly dryRun?: boolean },
  ): Promise<T>
  /** Server-side apply. The object has apiVersion, kind and metadata.name; force, the default, takes fields over. */
  apply<T>(
    resource: Resource<T>,
    namespace: string | undefined,
    object: unknown,
    options: WriteOptions & {
      readonly fieldManager: string
      readonly force?: boolean
      readonly subresource?: 'status'
      readonly dryRun?: boolean
    },
  ): Promise<T>
  /** A merge patch with metadata.resourceVersion is a precondition: Conflict when another writer was quicker. */
  patch<T>(
    resource: Resource<T>,
    namespace: string | undefined,
    name: string,
    patch: unknown,
    options: WriteOptions & { readonly type: 'merge' | 'json' | 'strategic'; readonly subresource?: 'status' },
  ): Promise<T>
  /** False when the object was already gone or has another uid or resourceVersion than asked for. */
  delete(
    resource: Resource<unknown>,
    namespace: string | undefined,
    name: string,
    options?: DeleteOptions,
  ): Promise<boolean>
  /** Events in the order of the server, in batches as they arrive. An ERROR event is thrown as KubeError. */
  watch<T>(
    resource: Resource<T>,
    namespace: string | undefined,
    options: WatchOptions,
  ): Promise<AsyncIterable<readonly WatchEvent<T>[]>>
  /** The server's version, such as v1.34.4: the cheapest proof that it answers. */
  serverVersion(options?: { signal?: AbortSignal }): Promise<string>
  /** Ends all connections, watches too. */
  close(): Promise<void>
}

export interface KubeClientOptions {
  readonly connection: Connection
  readonly metrics: Metrics
  /** How long an answer may take to begin, and to go on; 30 seconds if absent. */
  readonly timeoutMs?: number
}

const patchTypes = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const

export function createKubeClient(options: KubeClientOptions): KubeClient {
  const transport = createTransport(options)

  async function call<T>(request: ApiRequest): Promise<T> {
    return (await transport.json(request)) as T
  }

  async function getOrUndefined<T>(request: ApiRequest): Promise<T | undefined> {
    try {
      return await call<T>(request)
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  return {
    get: (resource, namespace, name, o = {}) =>
      getOrUndefined({
        method: 'GET',
        verb: 'get',
        resource: resource.plural,
        path: pathOf(resource, namespace, name),
        signal: o.signal,
      }),

    async list(resource, namespace, o = {}) {
      const { signal, ...query } = o
      const answer = await call<RawList>({
        method: 'GET',
        verb: 'list',
        resource: resource.plural,
        path: pathOf(resource, namespace),
        query,
        signal,
      })
      const next = answer.metadata.continue
      return {
        items: (answer.items ?? []) as never[],
        resourceVersion: answer.metadata.resourceVersion ?? '',
        ...(next && { continue: next }),
      }
    },

    create: (resource, namespace, object, o = {}) =>
      call({
        method: 'POST',
        verb: 'create',
        resource: resource.plural,
        path: pathOf(resource, namespace),
        query: { fieldManager: o.fieldManager, fieldValidation: 'Strict', dryRun: o.dryRun ? 'All' : undefined },
        body: object,
        signal: o.signal,
      }),

    apply: (resource, namespace, object, o) =>
      call({
        method: 'PATCH',
        verb: 'apply',
        resource: resource.plural,
        path: subresource(pathOf(resource, namespace, nameIn(object)), o.subresource),
        query: {
          fieldManager: o.fieldManager,
          force: o.force ?? true,
          fieldValidation: 'Strict',
          dryRun: o.dryRun ? 'All' : undefined,
        },
        body: object,
        contentType: patchTypes.apply,
        signal: o.signal,
      }),

    patch: (resource, namespace, name, patch, o) =>
      call({
        method: 'PATCH',
        verb: 'patch',
        resource: resource.plural,
        path: subresource(pathOf(resource, namespace, name), o.subresource),
        query: { fieldManager: o.fieldManager, fieldValidation: 'Strict' },
        body: patch,
        contentType: patchTypes[o.type],
        signal: o.signal,
      }),

    async delete(resource, namespace, name, o = {}) {
      const { uid, resourceVersion, propagationPolicy = 'Background', gracePeriodSeconds, signal } = o
      const guarded = uid !== undefined || resourceVersion !== undefined
      try {
        await call({
          method: 'DELETE',
          verb: 'delete',
          resource: resource.plural,
          path: pathOf(resource, namespace, name),
          body: {
            kind: 'DeleteOptions',
            apiVersion: 'v1',
            propagationPolicy,
            ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
            ...(guarded && { preconditions: { uid, resourceVersion } }),
          },
          signal,
        })
        return true
      } catch (error) {
        if (isNotFound(error)) return false
        if (guarded && error instanceof KubeError && error.status === 409) return false
        throw error
      }
    },

    async watch(resource, namespace, o) {
      const body = await transport.stream({
        method: 'GET',
        verb: 'watch',
        resource: resource.plural,
        path: pathOf(resource, namespace),
        query: {
          watch: true,
          allowWatchBookmarks: true,
          resourceVersion: o.resourceVersion,
          timeoutSeconds: o.timeoutSeconds,
          labelSelector: o.labelSelector,
        },
        signal: o.signal,
      })
      return parseWatch(body, errorFromWatch)
    },

    async serverVersion(o = {}) {
      const answer = await call<{ gitVersion?: string }>({
        method: 'GET',
        verb: 'get',
        resource: 'version',
        path: '/version',
        signal: o.signal,
      })
      return answer.gitVersion ?? ''
    },

    close: () => transport.close(),
  }
}

interface RawList {
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string }
  readonly items?: unknown[] | null
}

function nameIn(object: unknown): string {
  const name = (object as { metadata?: { name?: unknown } }).metadata?.name
  if (typeof name !== 'string' || name === '') throw new TypeError('an object to apply needs metadata.name')
  return name
}

function subresource(path: string, name: 'status' | undefined): string {
  return name === undefined ? path : `${path}/${name}`
}
