import { type ErrorCode, PlatformError, withTimeout } from '@posthaste/contracts';

/** Check of one thing that a process cannot work without. */
export interface ReadinessCheck {
  readonly name: string;
  /** Resolves when the thing is available. The code of its rejection is reported. */
  check(): Promise<void>;
  /** Code to report when the check takes too long. Default `DATABASE_TIMEOUT`. */
  readonly timeoutCode?: ErrorCode;
}

/** Outcome of one check. */
export interface CheckReport {
  readonly name: string;
  readonly ready: boolean;
  /** Why it is not ready. */
  readonly code?: ErrorCode;
}

/** Answer of `/health/ready`: sent with 200 when it is `ready`, else with 503. */
export interface ReadinessReport {
  readonly status: 'ready' | 'not_ready';
  readonly checks: readonly CheckReport[];
}

/** Answer of `/health/live`. */
export const liveReport = { status: 'live' } as const;

/** Options of `createReadiness`. */
export interface ReadinessOptions {
  /** Longest wait for one check, in ms. Default 2,000. */
  readonly timeoutMs?: number;
  /** Time for which a report is returned again, in ms: frequent callers cost nothing. Default 500. */
  readonly reuseMs?: number;
}

/** Creates a function that runs all checks at once and reports on each. It never rejects. */
export function createReadiness(
  checks: readonly ReadinessCheck[],
  { timeoutMs = 2_000, reuseMs = 500 }: ReadinessOptions = {},
): () => Promise<ReadinessReport> {
  let latest: Promise<ReadinessReport> | undefined;
  return () => {
    if (latest) return latest;
    const report = runChecks(checks, timeoutMs);
    latest = report;
    const expire = (): void => {
      latest = undefined;
    };
    void report.then(() => setTimeout(expire, reuseMs).unref());
    return report;
  };
}

async function runChecks(
  checks: readonly ReadinessCheck[],
  timeoutMs: number,
): Promise<ReadinessReport> {
  const reports = await Promise.all(checks.map((check) => runCheck(check, timeoutMs)));
  const isReady = reports.every(({ ready }) => ready);
  return { status: isReady ? 'ready' : 'not_ready', checks: reports };
}

async function runCheck(
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
