import { type ErrorCode, PlatformError, withTimeout } from '@posthaste/contracts';

/** Level of a log line, as a method of the logger. */
type Level = 'warn' | 'error' | 'info';

/** Logger of the lines about an outage itself. */
export type OutageLogger = Readonly<
  Record<'info' | 'warn', (fields: object, text: string) => void>
>;

/** Line about a database failure in a form that can be sent to another thread. */
export interface DatabaseFailure {
  readonly level: Level;
  readonly code: ErrorCode;
  /** Message of the error. */
  readonly reason: string;
  readonly text: string;
}

/** Options of an outage log. */
export interface OutageOptions {
  /** Name of the process in the lines: `gateway`. */
  readonly name: string;
  /** Rejects with a PlatformError while the database cannot be used. */
  readonly probe: () => Promise<void>;
  readonly logger: OutageLogger;
  /** Pause between two probes, in ms. Default 1,000. */
  readonly probeMs?: number;
  /** Time between two lines of the same outage, in ms. Default 60,000. */
  readonly repeatMs?: number;
}

/** Line that waits for the outcome of a probe. */
interface HeldLine {
  readonly code: string;
  write(): void;
}

interface Outage {
  readonly startedAt: number;
  writtenAt: number;
  failure: PlatformError;
  /** Lines that were left out since the last one that was written. */
  suppressed: number;
  /** True if a line came since the last probe. */
  isFresh: boolean;
  /** Probes that succeeded one after another. */
  successes: number;
}

/** Longest time of one probe, in ms. */
const probeTimeoutMs = 5_000;

/** Probes after which an outage ends although lines about it still come. */
const enoughSuccesses = 5;

/**
 * Probes in a row that succeed before held lines are written. One is not enough: the sessions of a
 * server that was killed end one after another, and the probe may have the last one.
 */
const successesBeforeRelease = 3;

/** Codes in other domains for a failure of the database behind them. */
const otherCodes: readonly string[] = ['STREAM_UNAVAILABLE', 'EVENT_OUTCOME_UNKNOWN'];

/**
 * Filter of log lines about the database. While it is away, every part of a process fails again and
 * again. A line about a failure is held until probes have shown if the database can be used. If it can,
 * the line is written, two seconds late. If it cannot, an outage begins: one line when it begins, one each minute, one when
 * it ends, and nothing from the parts meanwhile.
 */
export class OutageLog {
  #options: OutageOptions | undefined;
  #forward: ((failure: DatabaseFailure) => void) | undefined;
  /** By code and text: a line that comes often is written once. */
  readonly #held = new Map<string, HeldLine>();
  /** Probes that succeeded one after another while lines are held. */
  #successes = 0;
  #outage: Outage | undefined;
  #isProbing = false;

  /** Begins to filter. */
  watch(options: OutageOptions): void {
    this.#options = options;
  }

  /** Passes on lines about the database to another thread, which filters them with its own. */
  forwardTo(forward: (failure: DatabaseFailure) => void): void {
    this.#forward = forward;
  }

  /** Ends the filter: later lines are written. */
  stop(): void {
    this.#options = undefined;
    this.#outage = undefined;
    this.#releaseHeld(undefined);
  }

  /** Probes the database now, as if a line had come. */
  check(): void {
    if (this.#options && !this.#isProbing) void this.#probe();
  }

  /**
   * Takes over a line if it is about the database.
   * @param write writes the line
   * @returns false if the caller must write it
   */
  takes(line: { level: Level; fields: unknown; text: string }, write: () => void): boolean {
    if (!this.#options && !this.#forward) return false;
    const failure = failureOf(line.fields);
    if (!failure) return false;
    const { code } = failure;
    if (this.#forward) {
      this.#forward({ level: line.level, text: line.text, ...failure });
      return true;
    }
    if (this.#outage) {
      if (!belongsTo(this.#outage, code)) return false;
      this.#outage.suppressed++;
      this.#outage.isFresh = true;
      return true;
    }
    this.#held.set(`${code} ${line.text}`, { code, write });
    this.check();
    return true;
  }

  async #probe(): Promise<void> {
    const options = this.#options;
    this.#isProbing = options !== undefined;
    if (!options) return;
    const failure = await failureOfProbe(options.probe);
    // Stopped meanwhile.
    if (!this.#options) return;
    if (failure) this.#onFailure(failure, options);
    else this.#onSuccess(options);
    this.#isProbing = this.#outage !== undefined || this.#held.size > 0;
    if (this.#isProbing) setTimeout(() => void this.#probe(), options.probeMs ?? 1_000).unref();
  }

  #onFailure(failure: PlatformError, { name, logger, repeatMs = 60_000 }: OutageOptions): void {
    const now = performance.now();
    const { code, message } = failure;
    const outage = this.#outage;
    if (!outage) {
      this.#outage = {
        startedAt: now,
        writtenAt: now,
        failure,
        suppressed: 0,
        isFresh: false,
        successes: 0,
      };
      this.#releaseHeld(this.#outage);
      logger.warn({ code }, `the ${name} is not ready: ${message}`);
      return;
    }
    outage.failure = failure;
    outage.successes = 0;
    if (now - outage.writtenAt < repeatMs) return;
    const { suppressed } = outage;
    outage.writtenAt = now;
    outage.suppressed = 0;
    const since = secondsSince(outage.startedAt);
    logger.warn({ code, suppressed }, `the ${name} is not ready for ${since} s now: ${message}`);
  }

  #onSuccess({ name, logger }: OutageOptions): void {
    const outage = this.#outage;
    if (!outage) {
      this.#successes++;
      if (this.#successes >= successesBeforeRelease) this.#releaseHeld(undefined);
      return;
    }
    outage.successes++;
    const { isFresh, suppressed } = outage;
    outage.isFresh = false;
    // Statements that were under way still fail for a moment.
    if (isFresh && outage.successes < enoughSuccesses) return;
    this.#outage = undefined;
    const { code } = outage.failure;
    const seconds = secondsSince(outage.startedAt);
    logger.info(
      { code, suppressed },
      `the ${name} is ready: its database is usable after ${seconds} s`,
    );
  }

  /** Writes the lines that do not belong to the outage, and drops the others. */
  #releaseHeld(outage: Outage | undefined): void {
    const lines = [...this.#held.values()];
    this.#held.clear();
    this.#successes = 0;
    for (const { code, write } of lines) {
      if (!outage || !belongsTo(outage, code)) write();
      else outage.suppressed++;
    }
  }
}

/** True if a line with this code follows from the outage. Without its tables every statement fails. */
function belongsTo({ failure }: Outage, code: string): boolean {
  return code !== 'DATABASE_ERROR' || failure.code === 'MIGRATION_PENDING' || failure.code === code;
}

async function failureOfProbe(probe: () => Promise<void>): Promise<PlatformError | undefined> {
  try {
    await withTimeout(probe(), probeTimeoutMs, () => {
      const message = `the database did not respond within ${probeTimeoutMs} ms`;
      throw new PlatformError('DATABASE_TIMEOUT', message);
    });
    return undefined;
  } catch (error) {
    if (error instanceof PlatformError) return error;
    return new PlatformError('INTERNAL', error instanceof Error ? error.message : String(error));
  }
}

/** Returns the failure of the database that a line is about: its `err`, a cause of it, or its `kind`. */
function failureOf(fields: unknown): Pick<DatabaseFailure, 'code' | 'reason'> | undefined {
  if (typeof fields !== 'object' || fields === null) return undefined;
  const { err, kind } = fields as { readonly err?: unknown; readonly kind?: unknown };
  for (let e = err; e instanceof Error; e = e.cause) {
    if (e instanceof PlatformError && isAboutDatabase(e.code)) {
      return { code: e.code, reason: e.message };
    }
  }
  if (typeof kind !== 'string') return undefined;
  if (!isAboutDatabase(kind) && !otherCodes.includes(kind)) return undefined;
  return { code: kind as ErrorCode, reason: kind };
}

function isAboutDatabase(code: string): boolean {
  return code.startsWith('DATABASE_') || code === 'MIGRATION_PENDING';
}

function secondsSince(startedAt: number): number {
  return Math.round((performance.now() - startedAt) / 1_000);
}
