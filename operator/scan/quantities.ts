/** The durations and sizes of the API as numbers. Their shapes are checked by the CRDs, so anything else is a fault of ours. */

const unitSeconds: Readonly<Record<string, number>> = { h: 3600, m: 60, s: 1 }

/** Seconds of a duration such as `1h30m`. */
export function durationSeconds(text: string): number {
  let total = 0
  for (const [, amount, unit] of text.matchAll(/(\d+)([hms])/g))
    total += Number(amount) * (unitSeconds[unit as string] ?? 0)
  if (total === 0) throw new RangeError(`no duration: ${text}`)
  return total
}

const unitBytes: Readonly<Record<string, number>> = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 }

/** Bytes of a size such as `2Gi`. */
export function sizeBytes(text: string): number {
  const [, amount, unit] = /^(\d+)(Ki|Mi|Gi)$/.exec(text) ?? []
  const factor = unit === undefined ? undefined : unitBytes[unit]
  if (amount === undefined || factor === undefined) throw new RangeError(`no size: ${text}`)
  return Number(amount) * factor
}

/** Thousandths of a processor of an amount such as `500m` or `1.5`. */
export function cpuMillis(text: string): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(m?)$/.exec(text) ?? []
  if (amount === undefined) throw new RangeError(`no processors: ${text}`)
  return Number(amount) * (unit === 'm' ? 1 : 1000)
}
