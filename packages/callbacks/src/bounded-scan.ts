/** What a scan may cost. */
export interface ScanLimits {
  readonly maxMatches: number;
  /** Rows looked at, whether they match or not. */
  readonly maxRows: number;
}

export interface Scan<Row, Match> {
  readonly matches: readonly Match[];
  /** Rows looked at. */
  readonly scanned: number;
  /** The last row looked at; absent when there was none. */
  readonly last: Row | undefined;
  /** Whether nothing follows it. */
  readonly finished: boolean;
}

const growth = 4;

/**
 * Goes through an ordered list for what matches, and ends at its limits: the next scan goes on after
 * `last`. Rows are fetched in steps that grow, so that where everything matches no more is read
 * than is asked for.
 * @param fetch gives the rows that follow `after`, at most `count`, fewer only at the end
 */
export async function scanRows<Row, Match>(
  fetch: (after: Row | undefined, count: number) => Promise<readonly Row[]>,
  toMatch: (row: Row) => Match | undefined,
  { maxMatches, maxRows }: ScanLimits,
): Promise<Scan<Row, Match>> {
  const matches: Match[] = [];
  let last: Row | undefined;
  let scanned = 0;
  // One more than wanted: it tells whether anything follows.
  let count = Math.min(maxMatches + 1, maxRows);
  while (count > 0) {
    const rows = await fetch(last, count);
    for (const row of rows) {
      if (matches.length === maxMatches) return { matches, scanned, last, finished: false };
      last = row;
      scanned += 1;
      const match = toMatch(row);
      if (match !== undefined) matches.push(match);
    }
    if (rows.length < count) return { matches, scanned, last, finished: true };
    count = Math.min(count * growth, maxRows - scanned);
  }
  return { matches, scanned, last, finished: false };
}
