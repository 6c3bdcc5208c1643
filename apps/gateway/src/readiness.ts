import { setTimeout as sleep } from 'node:timers/promises';
import { type ErrorCode, PlatformError } from '@posthaste/contracts';
import { type Database, type MigrationSet, pendingMigrations } from '@posthaste/postgres';

/** Something without which requests cannot be served. */
export interface ReadinessCheck {
  readonly name: string;
  /** Resolves when it is there; how it rejects is reported by code. */
  check(): Promise<void>;
}

export interface CheckReport {
  readonly name: string;
  readonly ready: boolean;
  /** Why not. */
  readonly code?: ErrorCode;
}

export interface ReadinessReport {
  readonly ready: boolean;
  readonly checks: readonly CheckReport[];
}

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
  return { ready: reports.every((report) => report.ready), checks: reports };
}

async function run({ name, check }: ReadinessCheck, timeoutMs: number): Promise<CheckReport> {
  const timer = new AbortController();
  const timeout = sleep(timeoutMs, undefined, { signal: timer.signal, ref: false }).then(() => {
    throw new PlatformError('DATABASE_TIMEOUT', `${name} did not answer in ${timeoutMs} ms`);
  });
  try {
    await Promise.race([check(), timeout]);
    return { name, ready: true };
  } catch (error) {
    return { name, ready: false, code: error instanceof PlatformError ? error.code : 'INTERNAL' };
  } finally {
    timeout.catch(() => undefined);
    timer.abort();
  }
}

/** The database answers. */
export function databaseCheck(db: Database): ReadinessCheck {
  return { name: 'database', check: () => db.ping() };
}

/** The database has the tables of this release. Once it has, it is not asked again. */
export function migrationsCheck(db: Database, sets: readonly MigrationSet[]): ReadinessCheck {
  let done = false;
  return {
    name: 'migrations',
    check: async () => {
      if (done) return;
      const pending = await pendingMigrations(db, sets);
      if (pending.length > 0) {
        throw new PlatformError(
          'MIGRATION_PENDING',
          `migrations are pending (${pending.length}): run "posthaste migrate"`,
        );
      }
      done = true;
    },
  };
}
