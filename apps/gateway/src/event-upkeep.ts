import type { Database } from '@posthaste/postgres';
import type { DeadLetterReplays } from './dead-letter-replays.js';
import { forgetClaims } from './event-claim-store.js';
import { RepeatedWarnings, type WarningLog } from './http/repeated-warnings.js';
import { forgetReplayed } from './replayed-letter-store.js';

export interface EventUpkeepOptions {
  /** How long an Idempotency-Key, or the id of a published event, is remembered, in ms. */
  readonly idempotencyMs: number;
  /** How long events are kept, in ms; not exactly: see POSTHASTE_EVENT_RETENTION. */
  readonly eventRetentionMs: number;
  /** How soon a replay of another process that has died is gone on with, in ms. Default 2,000. */
  readonly pollMs?: number | undefined;
}

export interface EventUpkeepDeps {
  readonly db: Database;
  readonly replays: DeadLetterReplays;
  readonly logger: WarningLog;
}

const forgetEveryMs = 600_000;
const maxForgotten = 5_000;
const pauseAfterFailureMs = 2_000;
/** While replays are at work they are looked after this long at shorter intervals. */
const busyMs = 5_000;
const minPauseMs = 10;
const maxBusyPauseMs = 250;
const dayMs = 86_400_000;

/** Makes the steps of replays, and forgets what is old. Every gateway does; they do not get in each other's way. */
export class EventUpkeep {
  readonly #deps: EventUpkeepDeps;
  readonly #options: EventUpkeepOptions;
  readonly #warnings = new RepeatedWarnings(undefined, 60_000);
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lastStepAt = Number.NEGATIVE_INFINITY;
  #nextForgetAt = 0;
  #closed = false;

  constructor(deps: EventUpkeepDeps, options: EventUpkeepOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#schedule(this.#pollMs);
  }

  /** A replay was made: it is begun at once. */
  wake(): void {
    this.#lastStepAt = performance.now();
    if (!this.#running) this.#schedule(0);
  }

  /** Finishes the step in hand. May be called twice. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  get #pollMs(): number {
    return this.#options.pollMs ?? 2_000;
  }

  #schedule(inMs: number): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#running = this.#work().then((pauseMs) => {
        this.#running = undefined;
        this.#schedule(pauseMs);
      });
    }, inMs);
    this.#timer.unref();
  }

  /** @returns until it is to be done again, in ms */
  async #work(): Promise<number> {
    try {
      while (!this.#closed && (await this.#deps.replays.step())) {
        this.#lastStepAt = performance.now();
      }
      await this.#forget();
      const sinceStepMs = performance.now() - this.#lastStepAt;
      if (sinceStepMs > busyMs) return this.#pollMs;
      return Math.min(maxBusyPauseMs, Math.max(minPauseMs, sinceStepMs / 4));
    } catch (error) {
      const message = `events are not looked after: ${error instanceof Error ? error.message : error}`;
      this.#warnings.warn(this.#deps.logger, 'event upkeep', message);
      return pauseAfterFailureMs;
    }
  }

  async #forget(): Promise<void> {
    if (performance.now() < this.#nextForgetAt) return;
    const { idempotencyMs, eventRetentionMs } = this.#options;
    const { db } = this.#deps;
    // Longer than any of them is in the log: it may be kept for a day more than it should.
    const retentionMs = eventRetentionMs + 2 * dayMs;
    const forgotten = Math.max(
      await forgetClaims(db, { retentionMs: idempotencyMs, maxRows: maxForgotten }),
      await forgetReplayed(db, { retentionMs, maxRows: maxForgotten }),
    );
    if (forgotten < maxForgotten) this.#nextForgetAt = performance.now() + forgetEveryMs;
  }
}
