/** One job: the few numbers that describe a sample. Pure. */

/** The value that `fraction` of the sample does not pass; nearest rank. @throws on an empty sample. */
export function percentile(sample: readonly number[], fraction: number): number {
  const sorted = [...sample].sort((a, b) => a - b)
  const value = sorted[Math.max(0, Math.ceil(sorted.length * fraction) - 1)]
  if (value === undefined) throw new RangeError('there is no percentile of nothing')
  return value
}

export function median(sample: readonly number[]): number {
  return percentile(sample, 0.5)
}

/** Such as `p50 182 ms, p95 240 ms`. */
export function describeMilliseconds(sample: readonly number[]): string {
  return `p50 ${Math.round(median(sample))} ms, p95 ${Math.round(percentile(sample, 0.95))} ms`
}

/** Such as `0.42 s (0.38–0.61)`: the median and the range. */
export function describeSeconds(milliseconds: readonly number[]): string {
  const seconds = (value: number) => (value / 1000).toFixed(2)
  return `${seconds(median(milliseconds))} s (${seconds(Math.min(...milliseconds))}–${seconds(Math.max(...milliseconds))})`
}
