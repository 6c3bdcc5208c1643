/** Logger of warnings. pino's logger fits. */
export interface WarningLog {
  warn(fields: object, message: string): void;
}

/**
 * Filter of warnings that may come thousands of times a second, such as while the database cannot
 * be reached. Writes the first of a kind, then one per second with the number of those that were
 * suppressed.
 */
export class RepeatedWarnings {
  readonly #lastByKind = new Map<string, { writtenAt: number; suppressed: number }>();
  readonly #now: () => number;
  readonly #everyMs: number;

  /**
   * Kinds are never forgotten: they are names from the code, never from a caller.
   * @param now a clock in ms. Default `performance.now`
   * @param everyMs time between two warnings of a kind, in ms. Default 1,000
   */
  constructor(now: () => number = () => performance.now(), everyMs = 1_000) {
    this.#now = now;
    this.#everyMs = everyMs;
  }

  /** Writes the warning unless one of its kind was written a short time ago. */
  warn(log: WarningLog, kind: string, message: string): void {
    const now = this.#now();
    const last = this.#lastByKind.get(kind);
    if (last && now - last.writtenAt < this.#everyMs) {
      last.suppressed += 1;
      return;
    }
    const suppressed = last?.suppressed ?? 0;
    this.#lastByKind.set(kind, { writtenAt: now, suppressed: 0 });
    log.warn(suppressed > 0 ? { kind, suppressed } : { kind }, message);
  }
}
