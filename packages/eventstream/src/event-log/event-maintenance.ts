import type { Database } from '@posthaste/postgres';
import type { DeadLetterReplays } from './dead-letters/dead-letter-replays.js';
import { forgetReplayed } from './dead-letters/replayed-letter-store.js';
import { forgetClaims } from './publish/publish-claim-store.js';

/** Options of `EventMaintenance`. */
export interface EventMaintenanceOptions {
  /**
   * Retention of claims, in ms: of Idempotency-Keys and of the ids of published events. Default
   * 86,400,000.
   */
  readonly idempotencyMs?: number | undefined;
  /**
   * Retention of the log, in ms: the `retentionMs` that `PostgresLog.maintain` is called with. Notes
   * of replays are kept for two days longer. Default 604,800,000.
   */
  readonly eventRetentionMs?: number | undefined;
  /** Longest time until the replay of a process that has died is continued, in ms. Default 2,000. */
  readonly pollMs?: number | undefined;
}

/** Dependencies of `EventMaintenance`. */
export interface EventMaintenanceDeps {
  /** Database with `eventLogMigrations` applied. */
  readonly db: Database;
  /** Replays whose steps it runs. */
  readonly replays: Pick<DeadLetterReplays, 'step'>;
  /**
   * Called after a failed pass: every 2 seconds while the database cannot be reached. Must not
   * throw.
   */
  readonly onError: (error: unknown) => void;
}

const forgetEveryMs = 600_000;
const maxForgottenRows = 5_000;
const pauseAfterErrorMs = 2_000;
/** Time after a step in which passes follow each other at shorter intervals, in ms. */
const busyMs = 5_000;
const minBusyPauseMs = 10;
const maxBusyPauseMs = 250;
const dayMs = 86_400_000;

/**
 * Periodic work on the event log: runs the steps of replays, and deletes old claims and notes of
 * replays. Starts with the constructor. Any number of processes may run it: locks keep them apart.
 */
export class EventMaintenance {
  readonly #deps: EventMaintenanceDeps;
  readonly #idempotencyMs: number;
  readonly #eventRetentionMs: number;
  readonly #pollMs: number;
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lastStepAt = Number.NEGATIVE_INFINITY;
  #nextForgetAt = 0;
  #closed = false;

  constructor(
    deps: EventMaintenanceDeps,
    {
      idempotencyMs = dayMs,
      eventRetentionMs = 7 * dayMs,
      pollMs = 2_000,
    }: EventMaintenanceOptions = {},
  ) {
    this.#deps = deps;
    this.#idempotencyMs = idempotencyMs;
    this.#eventRetentionMs = eventRetentionMs;
    this.#pollMs = pollMs;
    this.#schedule(pollMs);
  }

  /** Starts the next pass at once. Call it after the creation of a replay. */
  runNow(): void {
    this.#lastStepAt = performance.now();
    if (!this.#running) this.#schedule(0);
  }

  /** Finishes the step in hand, and starts no other. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #schedule(inMs: number): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#running = this.#runPass().then((pauseMs) => {
        this.#running = undefined;
        this.#schedule(pauseMs);
      });
    }, inMs);
    this.#timer.unref();
  }

  /** @returns the pause until the next pass, in ms */
  async #runPass(): Promise<number> {
    try {
      while (!this.#closed && (await this.#deps.replays.step())) {
        this.#lastStepAt = performance.now();
      }
      await this.#forget();
      const sinceStepMs = performance.now() - this.#lastStepAt;
      if (sinceStepMs > busyMs) return this.#pollMs;
      return Math.min(maxBusyPauseMs, Math.max(minBusyPauseMs, sinceStepMs / 4));
    } catch (error) {
      this.#deps.onError(error);
      return pauseAfterErrorMs;
    }
  }

  async #forget(): Promise<void> {
    if (performance.now() < this.#nextForgetAt) return;
    const { db } = this.#deps;
    // Longer than any dead letter is in the log, which may keep it for a day more than its retention.
    const retentionMs = this.#eventRetentionMs + 2 * dayMs;
    const forgotten = Math.max(
      await forgetClaims(db, { retentionMs: this.#idempotencyMs, maxRows: maxForgottenRows }),
      await forgetReplayed(db, { retentionMs, maxRows: maxForgottenRows }),
    );
    if (forgotten < maxForgottenRows) this.#nextForgetAt = performance.now() + forgetEveryMs;
  }
}
