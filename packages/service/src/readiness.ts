import { type ErrorCode, PlatformError, withTimeout } from '@posthaste/contracts';

/** Something without which a process cannot do its work. */
export interface ReadinessCheck {
  readonly name: string;
  /** Resolves when it is there; how it rejects is reported by code. */
  check(): Promise<void>;
  /** How it is reported when it takes too long. Default `DATABASE_TIMEOUT`. */
  readonly timeoutCode?: ErrorCode;
}

export interface CheckReport {
  readonly name: string;
  readonly ready: boolean;
  /** Why not. */
  readonly code?: ErrorCode;
}

/** What `/health/ready` answers: with 200 when it is `ready`, else with 503. */
export interface ReadinessReport {
  readonly status: 'ready' | 'not_ready';
  readonly checks: readonly CheckReport[];
}

/** What `/health/live` answers. */
export const liveReport = { status: 'live' } as const;

export interface ReadinessOptions {
  /** Longest wait for one check. Default 2,000. */
  readonly timeoutMs?: number;
  /** How long a report is given out again: whoever asks more often costs nothing. Default 500. */
  readonly reuseMs?: number;
}

/** A function that runs all checks at once and reports on each. It never rejects. */
export function createReadiness(
  checks: readonly ReadinessCheck[],
  { timeoutMs = 2_000, reuseMs = 500 }: ReadinessOptions = {},
): () => Promise<ReadinessReport> {
  let latest: Promise<ReadinessReport> | undefined;
  return () => {
    if (latest) return latest;
    const report = runAll(checks, timeoutMs);
    latest = report;
    const forget = (): void => {
      latest = undefined;
    };
    void report.then(() => setTimeout(forget, reuseMs).unref());
    return report;
  };
}

async function runAll(
  checks: readonly ReadinessCheck[],
  timeoutMs: number,
): Promise<ReadinessReport> {
  const reports = await Promise.all(checks.map((check) => run(check, timeoutMs)));
  const isReady = reports.every(({ ready }) => ready);
  return { status: isReady ? 'ready' : 'not_ready', checks: reports };
}

async function run(
  { name, check, timeoutCode = 'DATABASE_TIMEOUT' }: ReadinessCheck,
  timeoutMs: number,
): Promise<CheckReport> {
  try {
    await withTimeout(check(), timeoutMs, () => {
      throw new PlatformError(timeoutCode, `${name} did not answer in ${timeoutMs} ms`);
    });
    return { name, ready: true };
  } catch (error) {
    return { name, ready: false, code: error instanceof PlatformError ? error.code : 'INTERNAL' };
  }
}
