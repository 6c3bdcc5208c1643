/** Where warnings go. pino's logger fits. */
export interface WarningLog {
  warn(fields: object, message: string): void;
}

/**
 * Warnings that may come thousands of times a second, such as while the database is away: the
 * first of a kind is written, then one a second with the number of those that were not.
 */
export class RepeatedWarnings {
  readonly #lastByKind = new Map<string, { writtenAt: number; suppressed: number }>();
  readonly #now: () => number;
  readonly #everyMs: number;

  /** Kinds are remembered for ever: they are names from the code, never from a caller. */
  constructor(now: () => number = () => performance.now(), everyMs = 1_000) {
    this.#now = now;
    this.#everyMs = everyMs;
  }

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
