import type { Clock } from './clock.js';

/** Shortest silence that counts, in ms: servers send something every minute. */
const minSilenceMs = 75_000;
/** Keep-alive intervals without a frame after which a connection is dead. */
const intervals = 2.5;

/**
 * Notices a connection on which nothing arrives any more: a cable that was pulled closes nothing. Any
 * frame counts. The limit follows the interval in which the server sends keep-alives.
 */
export class Watchdog {
  readonly #clock: Clock;
  readonly #onSilence: () => void;
  #timer: unknown;
  #lastFrameAt: number;
  #lastKeepAliveAt: number | undefined;
  #limitMs: number;
  #maxMs: number;

  /** @param limitMs until the acknowledgement */
  constructor(clock: Clock, limitMs: number, onSilence: () => void) {
    this.#clock = clock;
    this.#onSilence = onSilence;
    this.#lastFrameAt = clock.now();
    this.#limitMs = limitMs;
    this.#maxMs = limitMs;
    this.#schedule(limitMs);
  }

  /** Begins to watch with the limit that the server has named, in ms. */
  start(connectionTimeoutMs: number): void {
    this.onFrame();
    this.#maxMs = connectionTimeoutMs;
    this.#limitMs = Math.min(connectionTimeoutMs, Math.max(minSilenceMs, intervals * 60_000));
    this.stop();
    this.#schedule(this.#limitMs);
  }

  onFrame(): void {
    this.#lastFrameAt = this.#clock.now();
  }

  onKeepAlive(): void {
    const now = this.#clock.now();
    if (this.#lastKeepAliveAt !== undefined) {
      const observed = intervals * (now - this.#lastKeepAliveAt);
      this.#limitMs = Math.min(this.#maxMs, Math.max(minSilenceMs, observed));
    }
    this.#lastKeepAliveAt = now;
  }

  check(): void {
    const leftMs = this.#lastFrameAt + this.#limitMs - this.#clock.now();
    this.stop();
    if (leftMs <= 0) this.#onSilence();
    else this.#schedule(leftMs);
  }

  stop(): void {
    this.#clock.clearTimeout(this.#timer);
  }

  #schedule(ms: number): void {
    this.#timer = this.#clock.setTimeout(() => this.check(), ms);
  }
}
