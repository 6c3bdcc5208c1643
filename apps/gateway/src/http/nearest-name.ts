/** Fewest letters of a name that is taken for the beginning of a longer one. */
const minBeginning = 3;

/**
 * Returns the candidate that a misspelt name most likely means; `undefined` if none is close: at most
 * a third of its letters may differ, or it is the beginning of the candidate (`delay`, `delayMs`).
 * Upper and lower case count as the same letter.
 */
export function nearestName(name: string, candidates: readonly string[]): string | undefined {
  const wanted = name.toLowerCase();
  let nearest: string | undefined;
  let least = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of candidates) {
    // Each letter that one of them has more is a change.
    if (Math.abs(candidate.length - wanted.length) >= least) continue;
    const changes = countChanges(wanted, candidate.toLowerCase());
    if (changes >= least) continue;
    least = changes;
    nearest = candidate;
  }
  if (nearest !== undefined || wanted.length < minBeginning) return nearest;
  return candidates.find((candidate) => candidate.toLowerCase().startsWith(wanted));
}

/** Counts the letters to insert, remove, replace or swap with the next one (optimal string alignment). */
function countChanges(from: string, to: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, j) => j);
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const same = from[i - 1] === to[j - 1] ? 0 : 1;
      let least = Math.min(
        (previous[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (previous[j - 1] ?? 0) + same,
      );
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]) {
        least = Math.min(least, (before[j - 2] ?? 0) + 1);
      }
      row.push(least);
    }
    before = previous;
    previous = row;
  }
  return previous[to.length] ?? 0;
}
