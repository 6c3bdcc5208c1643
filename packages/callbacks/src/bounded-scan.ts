/** Limits of a scan. */
export interface ScanLimits {
  readonly maxMatches: number;
  /** Most rows that are read, matching or not. */
  readonly maxRows: number;
}

/** Result of a scan. */
export interface Scan<Row, Match> {
  readonly matches: readonly Match[];
  /** Rows that were read. */
  readonly scanned: number;
  /** Last row that was read; absent when there was none. */
  readonly last: Row | undefined;
  /** True if no row follows it. */
  readonly finished: boolean;
}

/** Factor by which each step of a scan reads more rows than the one before. */
const growth = 4;

/**
 * Reads an ordered list until it has found enough matches, or has read as many rows as it may. The
 * next scan continues after `last`. Rows are fetched in steps that grow, so that a scan in which
 * all rows match reads few more than asked for.
 * @param fetch returns the rows that follow `after`, at most `count`, fewer only at the end
 */
export async function scanRows<Row, Match>(
  fetch: (after: Row | undefined, count: number) => Promise<readonly Row[]>,
  toMatch: (row: Row) => Match | undefined,
  { maxMatches, maxRows }: ScanLimits,
): Promise<Scan<Row, Match>> {
  const matches: Match[] = [];
  let last: Row | undefined;
  let scanned = 0;
  // One more than wanted: it shows whether another match follows.
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
