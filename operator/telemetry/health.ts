/**
 * /livez and /readyz. Invariant: alive means that a restart would not help; ready means that what the process serves from
 * is complete. An event loop that hangs answers nothing at all, which the kubelet takes as not alive.
 */
import { createPlainServer, type PlainAnswer, type PlainServer } from './http.ts'

/** Undefined when all is well, else a sentence that says what is not. */
export type Check = () => string | undefined | Promise<string | undefined>

export interface HealthOptions {
  readonly port: number
  readonly host?: string
  readonly live: Readonly<Record<string, Check>>
  readonly ready: Readonly<Record<string, Check>>
}

export function createHealthServer(options: HealthOptions): PlainServer {
  const { port, host, live, ready } = options
  return createPlainServer({
    port,
    ...(host !== undefined && { host }),
    routes: { '/livez': () => evaluate(live), '/readyz': () => evaluate(ready) },
  })
}

interface Watching {
  readonly isSynced: boolean
  readonly lastActivity: number
}

/** Ready when every cache has its first list. */
export function cachesSynced(caches: Readonly<Record<string, Watching>>): Check {
  return () => {
    const missing = Object.entries(caches).filter(([, cache]) => !cache.isSynced)
    return missing.length === 0 ? undefined : `not listed yet: ${missing.map(([name]) => name).join(', ')}`
  }
}

/**
 * Alive as long as any cache has heard of the API server within `withinMs`. The time is generous, since a restart does not
 * bring back an API server that is gone; it ends a process whose connections have all died unnoticed.
 */
export function watchesAlive(caches: Readonly<Record<string, Watching>>, withinMs = 900_000): Check {
  return () => {
    const all = Object.values(caches)
    if (all.length === 0) return undefined
    const silence = performance.now() - Math.max(...all.map((cache) => cache.lastActivity))
    if (silence < withinMs) return undefined
    return `no watch has heard of the API server for ${Math.round(silence / 1000)} seconds`
  }
}

async function evaluate(checks: Readonly<Record<string, Check>>): Promise<PlainAnswer> {
  const results = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => ({ name, problem: await runCheck(check) })),
  )
  const failed = results.some(({ problem }) => problem !== undefined)
  const lines = results.map(({ name, problem }) =>
    problem === undefined ? `[+] ${name} ok` : `[-] ${name}: ${problem}`,
  )
  return { status: failed ? 503 : 200, contentType: 'text/plain', body: `${lines.join('\n')}\n` }
}

async function runCheck(check: Check): Promise<string | undefined> {
  try {
    return await check()
  } catch {
    return 'the check itself failed'
  }
}
