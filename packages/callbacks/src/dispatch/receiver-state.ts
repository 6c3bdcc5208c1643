import { backoffMs } from '@posthaste/contracts';

/** Longest pause, in ms. After it one attempt goes out, whose answer decides what follows. */
const maxPauseMs = 300_000;
/** Time-outs, 429 or 503 without a Retry-After in a row that pause a receiver. */
const pauseAfter = 3;
/** Pauses that the receiver did not give a time for. */
const backoff = { initialMs: 1_000, maxMs: 60_000 };
/** Answers in a row after a pause that make a receiver an ordinary one again. */
const answersToRecover = 8;
/** Attempts that may start after each answer while a receiver recovers. */
const startsPerAnswer = 2;
/** Wait for a receiver that recovers and has enough attempts under way, in ms. */
const recoveringWaitMs = 1_000;
/** Time after which an attempt without a report counts as ended, in ms: its lease is over by then. */
const lostAfterMs = 60_000;
/** Time between two callbacks of a backlog that come due after a pause, in ms. */
const paceMs = 10;
/** Longest time over which a backlog comes due after a pause, in ms. */
const maxSpreadMs = 300_000;

/** Moment and randomness of a call: ms by any monotonic clock, and a number in [0, 1). */
export interface Moment {
  readonly nowMs: number;
  readonly random: number;
}

/**
 * State of one receiver that is in trouble.
 *
 * - troubled: its troubles in a row are counted. A Retry-After, or `pauseAfter` troubles in a row,
 *   pause it; an answer makes it an ordinary receiver, of which nothing is kept.
 * - paused: its callbacks are postponed, so that they leave the index of what is ready. They come
 *   due one after another after the end of the pause, not all at once.
 * - recovering, after the pause: one attempt starts, and more with each answer. Trouble pauses it
 *   again, for longer; `answersToRecover` answers make it an ordinary one.
 */
export class ReceiverState {
  /** Time-outs and overloads since the last answer. */
  #troublesInRow = 0;
  #pausesInRow = 0;
  #pausedUntilMs = 0;
  /** Attempts that may start now, once the pause is over; Infinity if there was no pause yet. */
  #starts = Infinity;
  #answersInRow = 0;
  /** Callbacks that were postponed since the pause began, and in the pause before it. */
  #postponed = 0;
  #backlog = 0;
  /** Time of the last attempt that started or ended. */
  #changedAtMs: number;

  constructor(nowMs: number) {
    this.#changedAtMs = nowMs;
  }

  /** End of the pause; in the past if there is none. */
  get pausedUntilMs(): number {
    return this.#pausedUntilMs;
  }

  /** Returns the time for which a delivery must be postponed, in ms; 0 if it may start now. */
  postpone({ nowMs, random }: Moment): number {
    const waitMs = this.#waitMs(nowMs);
    if (waitMs === 0) return 0;
    this.#postponed += 1;
    const spreadMs = Math.min(maxSpreadMs, Math.max(this.#postponed, this.#backlog) * paceMs);
    return waitMs + random * spreadMs;
  }

  /** Counts an attempt that starts. */
  started(nowMs: number): void {
    this.#starts = Math.max(0, this.#starts - 1);
    this.#changedAtMs = nowMs;
  }

  /** Lets another attempt find out: one that could not connect has learnt nothing. */
  unreachable(): void {
    this.#starts += 1;
  }

  /** Counts an answer. Returns true if the receiver is an ordinary one again. */
  answered(nowMs: number): boolean {
    // An answer to an attempt that began before the pause does not end it.
    if (nowMs < this.#pausedUntilMs) return false;
    this.#starts += startsPerAnswer;
    this.#answersInRow += 1;
    this.#changedAtMs = nowMs;
    return this.#pausesInRow === 0 || this.#answersInRow >= answersToRecover;
  }

  /**
   * Counts trouble, and pauses the receiver for `askedMs`, or for a time of its own if that is 0.
   * Returns true if it is paused now.
   */
  troubled(askedMs: number, { nowMs, random }: Moment): boolean {
    this.#changedAtMs = nowMs;
    const isPaused = nowMs < this.#pausedUntilMs;
    // Attempts that were under way when the pause began end after it: the same trouble.
    if (isPaused && askedMs === 0) return true;
    this.#troublesInRow += 1;
    this.#answersInRow = 0;
    const isRecovering = this.#pausesInRow > 0;
    if (askedMs === 0 && !isRecovering && this.#troublesInRow < pauseAfter) return false;
    if (!isPaused) {
      this.#pausesInRow += 1;
      this.#backlog = this.#postponed;
      this.#postponed = 0;
    }
    const pauseMs = askedMs > 0 ? askedMs : backoffMs(this.#pausesInRow, backoff, random);
    const untilMs = nowMs + Math.min(maxPauseMs, pauseMs);
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, untilMs);
    this.#starts = 1;
    return true;
  }

  /** True if its last trouble is so long ago that it may be forgotten. */
  isOld(nowMs: number): boolean {
    return nowMs > Math.max(this.#changedAtMs, this.#pausedUntilMs) + maxSpreadMs;
  }

  #waitMs(nowMs: number): number {
    if (nowMs < this.#pausedUntilMs) return this.#pausedUntilMs - nowMs;
    if (this.#starts >= 1) return 0;
    return nowMs - this.#changedAtMs > lostAfterMs ? 0 : recoveringWaitMs;
  }
}
