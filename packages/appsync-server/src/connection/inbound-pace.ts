import { setTimeout as sleep } from 'node:timers/promises';
import type { Limits } from '../protocol/limits.js';
import { RateLimit, TenantRates } from '../protocol/rate-limit.js';

/** Pause of a client that sends more than it may, in ms. */
const pauseMs = 100;
/** Pings and pongs of a client in a second. One that sends more is cut off. */
const controlsPerSecond = 100;
/** Frames below this are counted, and not timed. */
const minTimedBytes = 4_096;
/** Pace of the realms of a server: over all connections of each, and for each by itself. */
export class RealmPace {
  readonly #times: TenantRates;
  readonly #faults: TenantRates;

  constructor({
    readingMsPerSecond,
    faultsPerSecond,
  }: Pick<Limits, 'readingMsPerSecond' | 'faultsPerSecond'>) {
    this.#times = new TenantRates(readingMsPerSecond);
    this.#faults = new TenantRates(faultsPerSecond);
  }

  /** True if the realm has not used up the time for its large frames. */
  hasTimeLeft(realm: string): boolean {
    const now = Date.now();
    return this.#times.of(realm, now).use(0, now);
  }

  /** True if no more frames of the realm were answered with an error than may be. */
  hasFaultsLeft(realm: string): boolean {
    const now = Date.now();
    return this.#faults.of(realm, now).use(0, now);
  }

  countFault(realm: string): void {
    const now = Date.now();
    this.#faults.of(realm, now).charge(1, now);
  }

  /** Runs the part of reading a frame that does not wait, and counts its time. */
  time<Result>(realm: string, bytes: number, read: () => Result): Result {
    if (bytes < minTimedBytes) return read();
    const startedAt = performance.now();
    try {
      return read();
    } finally {
      const now = Date.now();
      this.#times.of(realm, now).charge(performance.now() - startedAt, now);
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
  readonly #realms: RealmPace;
  /** True if the frame before was answered with an error. */
  #isFaulty = false;

  constructor(framesPerSecond: number, realms: RealmPace) {
    const now = Date.now();
    this.#realms = realms;
    this.#frames = new RateLimit(framesPerSecond, now);
    this.#controls = new RateLimit(controlsPerSecond, now);
  }

  /** Returns undefined if one more frame may be handled now, else a promise for the moment. */
  waitForFrame(realm: string, bytes: number): Promise<void> | undefined {
    const realms = this.#realms;
    const wasFaulty = this.#isFaulty;
    this.#isFaulty = false;
    if (wasFaulty && !realms.hasFaultsLeft(realm)) {
      return waitUntil(() => realms.hasFaultsLeft(realm));
    }
    if (bytes >= minTimedBytes && !realms.hasTimeLeft(realm)) {
      return waitUntil(() => realms.hasTimeLeft(realm));
    }
    return this.#frames.use(1, Date.now()) ? undefined : sleep(pauseMs);
  }

  /** Has the next frame wait if the realm has had too many errors. */
  onFault(realm: string): void {
    this.#isFaulty = true;
    this.#realms.countFault(realm);
  }

  /** True if the client may send one more ping or pong. */
  mayControl(): boolean {
    return this.#controls.use(1, Date.now());
  }
}

async function waitUntil(isReached: () => boolean): Promise<void> {
  do await sleep(pauseMs);
  while (!isReached());
}
