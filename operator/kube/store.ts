/**
 * The objects of one kind as they were last seen, by key and by index. Invariant: an object is never replaced by an older
 * version of itself, and one that we deleted ourselves does not come back by an event from before the deletion.
 */
import type { KubeObject } from '../api/kinds.ts'

/** What controllers may do with a store. */
export interface Store<T> {
  /** By `namespace/name`. */
  get(key: string): T | undefined
  values(): IterableIterator<T>
  byIndex(index: string, value: string): readonly T[]
  readonly size: number
  /**
   * Puts the answer of our own write in place at once, so that the next reconcile sees it. Does nothing when the versions
   * cannot be compared; then the watch brings it.
   */
  observe(key: string, object: T): void
  /** Takes an object out whose deletion the server has accepted and carried out. */
  forget(key: string, uid: string): void
}

/** What the informer may do with it. */
export interface WritableStore<T> extends Store<T> {
  /** ADDED or MODIFIED. False when nothing changed. */
  put(raw: T): boolean
  /** DELETED. */
  remove(raw: T): boolean
  /**
   * Makes one namespace (undefined: all) equal to a list of this resourceVersion, whose items were `put` before. What the
   * store knows from later than the list stays. Returns how many objects went.
   */
  retain(namespace: string | undefined, seen: ReadonlySet<string>, listVersion: string): number
}

export interface StoreOptions<T> {
  readonly project: (raw: T) => T
  readonly indexes: Readonly<Record<string, (object: T) => readonly string[]>>
  readonly onChange: (key: string, current: T | undefined, previous: T | undefined) => void
}

export function createStore<T extends KubeObject>(options: StoreOptions<T>): WritableStore<T> {
  const objects = new Map<string, T>()
  const indexes = Object.entries(options.indexes).map(([name, valuesOf]) => ({
    name,
    valuesOf,
    keys: new Map<string, Set<string>>(),
  }))
  const indexByName = new Map(indexes.map((index) => [index.name, index]))
  // UIDs of objects that we deleted and whose DELETED event is still to come, with their keys.
  const forgotten = new Map<string, string>()

  function set(key: string, current: T | undefined): void {
    const previous = objects.get(key)
    for (const index of indexes) {
      if (previous !== undefined) unlink(index.keys, index.valuesOf(previous), key)
      if (current !== undefined) link(index.keys, index.valuesOf(current), key)
    }
    if (current === undefined) objects.delete(key)
    else objects.set(key, current)
    options.onChange(key, current, previous)
  }

  function put(raw: T): boolean {
    const key = keyOf(raw)
    const { uid, resourceVersion, deletionTimestamp } = raw.metadata
    // Anything about a deleted object that does not show it as terminating is from before the deletion.
    if (deletionTimestamp === undefined && forgotten.has(uid)) return false
    const before = objects.get(key)?.metadata
    if (before !== undefined && before.resourceVersion === resourceVersion && before.uid === uid) return false
    if (before !== undefined && isOlder(resourceVersion, before.resourceVersion)) return false
    set(key, options.project(raw))
    return true
  }

  return {
    get: (key) => objects.get(key),
    values: () => objects.values(),
    byIndex(index, value) {
      const entry = indexByName.get(index)
      if (entry === undefined) throw new Error(`the store has no index ${index}`)
      const keys = entry.keys.get(value)
      return keys === undefined ? [] : Array.from(keys, (key) => objects.get(key) as T)
    },
    get size() {
      return objects.size
    },

    put,

    remove(raw) {
      const key = keyOf(raw)
      forgotten.delete(raw.metadata.uid)
      const before = objects.get(key)?.metadata
      if (before === undefined || before.uid !== raw.metadata.uid) return false
      set(key, undefined)
      return true
    },

    retain(namespace, seen, listVersion) {
      const inScope = (key: string) => namespace === undefined || key.startsWith(`${namespace}/`)
      let gone = 0
      for (const [key, object] of objects) {
        if (!inScope(key) || seen.has(object.metadata.uid)) continue
        if (isOlder(listVersion, object.metadata.resourceVersion)) continue
        set(key, undefined)
        gone++
      }
      for (const [uid, key] of forgotten) if (inScope(key) && !seen.has(uid)) forgotten.delete(uid)
      return gone
    },

    observe(key, object) {
      const before = objects.get(key)?.metadata
      const version = object.metadata.resourceVersion
      if (!isComparable(version)) return
      if (before !== undefined && !isOlder(before.resourceVersion, version)) return
      if (keyOf(object) === key) put(object)
    },

    forget(key, uid) {
      if (objects.get(key)?.metadata.uid !== uid) return
      forgotten.set(uid, key)
      set(key, undefined)
    },
  }
}

/**
 * Whether the first resourceVersion is certainly older. API servers since 1.35 promise that versions of one kind are
 * numbers and can be compared; whatever is no number is never called older.
 */
export function isOlder(a: string, b: string): boolean {
  if (!isComparable(a) || !isComparable(b)) return false
  return a.length === b.length ? a < b : a.length < b.length
}

/** A whole number without leading zeros, so that longer means larger. */
function isComparable(version: string): boolean {
  return /^[1-9][0-9]*$/.test(version)
}

function keyOf(object: KubeObject): string {
  return `${object.metadata.namespace}/${object.metadata.name}`
}

function link(keys: Map<string, Set<string>>, values: readonly string[], key: string): void {
  for (const value of values) {
    const set = keys.get(value)
    if (set === undefined) keys.set(value, new Set([key]))
    else set.add(key)
  }
}

function unlink(keys: Map<string, Set<string>>, values: readonly string[], key: string): void {
  for (const value of values) {
    const set = keys.get(value)
    set?.delete(key)
    if (set?.size === 0) keys.delete(value)
  }
}
