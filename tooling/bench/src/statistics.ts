/** The middle value; of an even number of values, the lower of the two. NaN of none. */
export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** The smallest value that is not exceeded by at least `percent` of the values. NaN of none. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
}

/** The median of every field over several measurements. */
export function medians<Measured extends Record<keyof Measured, number>>(
  runs: readonly [Measured, ...Measured[]],
): Measured {
  const fields = Object.keys(runs[0]) as (keyof Measured)[];
  const entries = fields.map((field) => [field, median(runs.map((run) => run[field]))]);
  return Object.fromEntries(entries) as Measured;
}
