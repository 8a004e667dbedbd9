/** Waiting for conditions. Bounds are generous, since machines are noisy: a bound that is reached means that it never happens. */
import { setTimeout as sleep } from 'node:timers/promises'

export interface WaitOptions {
  readonly withinMs?: number
  readonly everyMs?: number
}

/**
 * Asks again until the answer is truthy, and returns it. An answer that throws counts as not yet.
 * @throws after `withinMs` (a minute unless told otherwise), naming what was waited for and what was seen last.
 */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  options: WaitOptions = {},
): Promise<Exclude<T, undefined | null | false | 0 | ''>> {
  const { withinMs = 60_000, everyMs = 50 } = options
  const end = performance.now() + withinMs
  for (;;) {
    const [answer, problem] = await attempt(probe)
    if (answer) return answer as Exclude<T, undefined | null | false | 0 | ''>
    if (performance.now() > end)
      throw new Error(`waited ${withinMs} ms in vain for: ${what}; last: ${describe(answer, problem)}`)
    await sleep(everyMs)
  }
}

async function attempt<T>(probe: () => T | Promise<T>): Promise<[T | undefined, unknown]> {
  try {
    return [await probe(), undefined]
  } catch (error) {
    return [undefined, error]
  }
}

function describe(answer: unknown, problem: unknown): string {
  if (problem !== undefined) return problem instanceof Error ? problem.message : String(problem)
  return JSON.stringify(answer) ?? 'undefined'
}
