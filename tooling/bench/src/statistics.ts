/** Returns the middle value; the lower of two if their number is even; NaN without values. */
export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** Returns the smallest value that `percent` of the values do not exceed; NaN without values. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
}

/** Returns the median of each field over several measurements. */
export function medians<Measured extends Record<keyof Measured, number>>(
  runs: readonly [Measured, ...Measured[]],
): Measured {
  const fields = Object.keys(runs[0]) as (keyof Measured)[];
  const entries = fields.map((field) => [field, median(runs.map((run) => run[field]))]);
  return Object.fromEntries(entries) as Measured;
}
