/**
 * Keys that come due later, behind one timer. Invariant: each key stands here at most once, with the earliest time that
 * was asked for, and hundreds of thousands of them cost one timer and one heap entry each.
 */
export interface Delays {
  /** Keeps the earlier time when the key already waits. */
  add(key: string, delayMs: number): void
  remove(key: string): void
  clear(): void
  readonly size: number
}

interface Entry {
  readonly key: string
  readonly due: number
}

/** Timers of Node overflow beyond 2^31 ms. */
const longestTimer = 2 ** 31 - 1

/** `onDue` is called once for each key whose time has come. */
export function createDelays(onDue: (key: string) => void): Delays {
  const dueOf = new Map<string, number>()
  // A binary heap by due time. Entries whose time is no longer the one in `dueOf` are stale and skipped when they surface.
  let heap: Entry[] = []
  let timer: NodeJS.Timeout | undefined
  let timerDue = Number.POSITIVE_INFINITY

  function arm(): void {
    const next = heap[0]
    if (next === undefined) {
      clearTimeout(timer)
      timerDue = Number.POSITIVE_INFINITY
      return
    }
    if (next.due >= timerDue) return
    clearTimeout(timer)
    timerDue = next.due
    timer = setTimeout(fire, Math.min(Math.max(0, next.due - performance.now()), longestTimer))
  }

  function fire(): void {
    timerDue = Number.POSITIVE_INFINITY
    const now = performance.now()
    for (let next = heap[0]; next !== undefined && next.due <= now; next = heap[0]) {
      pop(heap)
      if (dueOf.get(next.key) !== next.due) continue
      dueOf.delete(next.key)
      onDue(next.key)
    }
    arm()
  }

  return {
    add(key, delayMs) {
      const due = performance.now() + Math.max(0, delayMs)
      const waiting = dueOf.get(key)
      if (waiting !== undefined && waiting <= due) return
      dueOf.set(key, due)
      push(heap, { key, due })
      if (heap.length > 64 && heap.length > 4 * dueOf.size) {
        heap = heap.filter((entry) => dueOf.get(entry.key) === entry.due).sort((a, b) => a.due - b.due)
      }
      arm()
    },
    remove(key) {
      dueOf.delete(key)
    },
    clear() {
      dueOf.clear()
      heap = []
      arm()
    },
    get size() {
      return dueOf.size
    },
  }
}

function push(heap: Entry[], entry: Entry): void {
  let child = heap.push(entry) - 1
  while (child > 0) {
    const parent = (child - 1) >> 1
    const above = heap[parent] as Entry
    if (above.due <= entry.due) break
    heap[child] = above
    child = parent
  }
  heap[child] = entry
}

function pop(heap: Entry[]): void {
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return
  let parent = 0
  for (;;) {
    let child = 2 * parent + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && (heap[child + 1] as Entry).due < (heap[child] as Entry).due) child++
    const below = heap[child] as Entry
    if (below.due >= last.due) break
    heap[parent] = below
    parent = child
  }
  heap[parent] = last
}
