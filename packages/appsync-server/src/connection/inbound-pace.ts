import { setTimeout as sleep } from 'node:timers/promises';
import type { Limits } from '../protocol/limits.js';
import { RateLimit, TenantRates } from '../protocol/rate-limit.js';

/** Pause of a client that sends more than it may, in ms. */
const pauseMs = 100;
/** Pings and pongs of a client in a second. One that sends more is cut off. */
const controlsPerSecond = 100;
/** Frames below this are counted, and not timed. */
const minTimedBytes = 4_096;

/** Time that the realms of a server take to have their large frames read. */
export class ReadingTimes {
  readonly #rates: TenantRates;

  constructor({ readingMsPerSecond }: Pick<Limits, 'readingMsPerSecond'>) {
    this.#rates = new TenantRates(readingMsPerSecond);
  }

  /** True if the realm has not used up its time. */
  hasLeft(realm: string): boolean {
    const now = Date.now();
    return this.#rates.of(realm, now).use(0, now);
  }

  /** Runs the part of reading a frame that does not wait, and counts its time. */
  count<Result>(realm: string, bytes: number, read: () => Result): Result {
    if (bytes < minTimedBytes) return read();
    const startedAt = performance.now();
    try {
      return read();
    } finally {
      const now = Date.now();
      this.#rates.of(realm, now).charge(performance.now() - startedAt, now);
    }
  }
}

/**
 * Pace at which the frames of one connection are handled. A frame costs more than its bytes: without a
 * pace, clients that send small or intricate ones take the whole process.
 */
export class InboundPace {
  readonly #frames: RateLimit;
  readonly #controls: RateLimit;
  readonly #times: ReadingTimes;

  constructor(framesPerSecond: number, times: ReadingTimes) {
    const now = Date.now();
    this.#times = times;
    this.#frames = new RateLimit(framesPerSecond, now);
    this.#controls = new RateLimit(controlsPerSecond, now);
  }

  /** Returns undefined if one more frame may be handled now, else a promise for the moment. */
  waitForFrame(realm: string, bytes: number): Promise<void> | undefined {
    if (bytes >= minTimedBytes && !this.#times.hasLeft(realm)) return this.#waitForTime(realm);
    return this.#frames.use(1, Date.now()) ? undefined : sleep(pauseMs);
  }

  /** True if the client may send one more ping or pong. */
  mayControl(): boolean {
    return this.#controls.use(1, Date.now());
  }

  async #waitForTime(realm: string): Promise<void> {
    do await sleep(pauseMs);
    while (!this.#times.hasLeft(realm));
  }
}
