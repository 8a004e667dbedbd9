/** Reads what a code host says about its limits, in the headers that most hosts share. Pure. */

export interface Limits {
  /** Calls left and allowed in the current window. Absent headers mean that the host does not limit. */
  readonly remaining?: number
  readonly limit?: number
  /** When the window ends. */
  readonly resetAt?: Date
  /** The moment before which the host wants no call at all. */
  readonly retryAt?: Date
}

/** A host that asks for more than this is not taken at its word. */
const longestWaitMs = 24 * 3_600_000

export function limitsOf(headers: Headers, now: Date): Limits {
  const remaining = wholeNumber(headers.get('x-ratelimit-remaining'))
  const limit = wholeNumber(headers.get('x-ratelimit-limit'))
  const reset = wholeNumber(headers.get('x-ratelimit-reset'))
  const retryAt = retryAfter(headers.get('retry-after'), now)
  return {
    ...(remaining === undefined ? {} : { remaining }),
    ...(limit === undefined ? {} : { limit }),
    ...(reset === undefined ? {} : { resetAt: within(new Date(reset * 1000), now) }),
    ...(retryAt === undefined ? {} : { retryAt }),
  }
}

function retryAfter(value: string | null, now: Date): Date | undefined {
  if (value === null) return undefined
  const seconds = wholeNumber(value)
  const at = seconds === undefined ? Date.parse(value) : now.getTime() + seconds * 1000
  return Number.isNaN(at) ? undefined : within(new Date(at), now)
}

function within(at: Date, now: Date): Date {
  return new Date(Math.min(at.getTime(), now.getTime() + longestWaitMs))
}

function wholeNumber(value: string | null): number | undefined {
  return value !== null && /^\d{1,15}$/.test(value.trim()) ? Number(value) : undefined
}
