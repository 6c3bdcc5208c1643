import { backoffMs } from '@posthaste/contracts';
import type { Delivery } from '../delivery/delivery.js';
import { parseFairnessKey } from '../delivery/fairness-key.js';
import type { HostSignal } from '../delivery/outcome.js';

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
/** Paths of one application that are kept apart; beyond them their origin is paused for it. */
const maxReceivers = 1_000;
/** Owners of receivers above which those are forgotten whose last trouble is long ago. */
const maxOwners = 1_024;

interface ReceiverState {
  /** Time-outs and overloads since the last answer. */
  troublesInRow: number;
  pausesInRow: number;
  pausedUntilMs: number;
  /** Attempts that may start now, once the pause is over; Infinity if there was no pause yet. */
  starts: number;
  answersInRow: number;
  /** Callbacks that were postponed since the pause began, and in the pause before it. */
  postponed: number;
  backlog: number;
  /** Time of the last attempt that started or ended. */
  changedAtMs: number;
}

/** Moment and randomness of a call: ms by any monotonic clock, and a number in [0, 1). */
export interface Moment {
  readonly nowMs: number;
  readonly random: number;
}

/**
 * Receivers that asked for a pause, or did not answer in time. A receiver is an endpoint, or for a
 * callback without an endpoint its application with its URL without the query: no application waits
 * because of another one's receiver.
 *
 * States of a receiver:
 * - ordinary: nothing is kept, or its troubles in a row are counted. A Retry-After, or `pauseAfter`
 *   troubles in a row, pause it.
 * - paused: its callbacks are postponed, so that they leave the index of what is ready. They come
 *   due one after another after the end of the pause, not all at once.
 * - recovering, after the pause: one attempt starts, and more with each answer. Trouble pauses it
 *   again, for longer; `answersToRecover` answers make it an ordinary one.
 *
 * Connection failures are not counted here: they are about the host (origin-limiter.ts). Pure: time
 * and randomness are passed in. Each worker learns of a receiver by itself.
 */
export class ReceiverPauses {
  /** States by owner (an application, or its endpoints), then by receiver. */
  readonly #owners = new Map<string, Map<string, ReceiverState>>();

  /** Returns the time for which a delivery must be postponed, in ms; 0 if it may start now. */
  postponementMs(delivery: Delivery, { nowMs, random }: Moment): number {
    let longestMs = 0;
    for (const state of this.#statesOf(delivery)) {
      const waitMs = waitOf(state, nowMs);
      if (waitMs === 0) continue;
      state.postponed += 1;
      const spreadMs = Math.min(maxSpreadMs, Math.max(state.postponed, state.backlog) * paceMs);
      longestMs = Math.max(longestMs, waitMs + random * spreadMs);
    }
    return longestMs;
  }

  /** Counts an attempt that starts. */
  started(delivery: Delivery, nowMs: number): void {
    for (const state of this.#statesOf(delivery)) {
      state.starts = Math.max(0, state.starts - 1);
      state.changedAtMs = nowMs;
    }
  }

  /** Returns the end of the receiver's pause; `undefined` if it is not paused. */
  pausedUntil(delivery: Delivery, nowMs: number): number | undefined {
    const ends = this.#statesOf(delivery).map(({ pausedUntilMs }) => pausedUntilMs);
    const latestMs = Math.max(0, ...ends);
    return latestMs > nowMs ? latestMs : undefined;
  }

  /**
   * Adapts the receiver's state to an attempt's signal. Returns true if the signal is trouble that
   * a pause of the receiver takes care of, so that nothing else has to slow down for it.
   */
  report(delivery: Delivery, signal: HostSignal, moment: Moment): boolean {
    switch (signal.kind) {
      case 'answered':
        this.#recover(delivery, moment.nowMs);
        return false;
      case 'unreachable':
        // Nothing was learnt about the receiver: another attempt may find out.
        for (const state of this.#statesOf(delivery)) state.starts += 1;
        return false;
      case 'slow':
        return this.#trouble(delivery, 0, moment);
      case 'overloaded':
        return this.#trouble(delivery, signal.retryAfterMs ?? 0, moment);
    }
  }

  #recover(delivery: Delivery, nowMs: number): void {
    if (this.#owners.size === 0) return;
    const owner = ownerOf(delivery);
    const states = this.#owners.get(owner);
    if (states === undefined) return;
    for (const key of keysOf(delivery)) {
      const state = states.get(key);
      // An answer to an attempt that began before the pause does not end it.
      if (state === undefined || nowMs < state.pausedUntilMs) continue;
      state.starts += startsPerAnswer;
      state.answersInRow += 1;
      state.changedAtMs = nowMs;
      const neverPaused = state.pausesInRow === 0;
      if (neverPaused || state.answersInRow >= answersToRecover) states.delete(key);
    }
    if (states.size === 0) this.#owners.delete(owner);
  }

  /** Counts trouble, and pauses the receiver for `askedMs`, or for a time of its own if that is 0. */
  #trouble(delivery: Delivery, askedMs: number, { nowMs, random }: Moment): boolean {
    const state = this.#stateFor(delivery, nowMs);
    state.changedAtMs = nowMs;
    const isPaused = nowMs < state.pausedUntilMs;
    // Attempts that were under way when the pause began end after it: the same trouble.
    if (isPaused && askedMs === 0) return true;
    state.troublesInRow += 1;
    state.answersInRow = 0;
    const isRecovering = state.pausesInRow > 0;
    if (askedMs === 0 && !isRecovering && state.troublesInRow < pauseAfter) return false;
    if (!isPaused) {
      state.pausesInRow += 1;
      state.backlog = state.postponed;
      state.postponed = 0;
    }
    const pauseMs = askedMs > 0 ? askedMs : backoffMs(state.pausesInRow, backoff, random);
    const untilMs = nowMs + Math.min(maxPauseMs, pauseMs);
    state.pausedUntilMs = Math.max(state.pausedUntilMs, untilMs);
    state.starts = 1;
    return true;
  }

  #statesOf(delivery: Delivery): ReceiverState[] {
    if (this.#owners.size === 0) return [];
    const states = this.#owners.get(ownerOf(delivery));
    return states === undefined ? [] : keysOf(delivery).flatMap((key) => states.get(key) ?? []);
  }

  /** Returns the state of the receiver, or of its origin if too many paths are kept already. */
  #stateFor(delivery: Delivery, nowMs: number): ReceiverState {
    const states = this.#statesOfOwner(ownerOf(delivery), nowMs);
    const [receiver = '', origin = receiver] = keysOf(delivery);
    if (!states.has(receiver) && states.size >= maxReceivers) forgetOld(states, nowMs);
    const key = states.has(receiver) || states.size < maxReceivers ? receiver : origin;
    const known = states.get(key);
    if (known !== undefined) return known;
    const state = newState(nowMs);
    states.set(key, state);
    return state;
  }

  #statesOfOwner(owner: string, nowMs: number): Map<string, ReceiverState> {
    const known = this.#owners.get(owner);
    if (known !== undefined) return known;
    if (this.#owners.size >= maxOwners) {
      for (const [other, states] of this.#owners) {
        forgetOld(states, nowMs);
        if (states.size === 0) this.#owners.delete(other);
      }
    }
    const states = new Map<string, ReceiverState>();
    this.#owners.set(owner, states);
    return states;
  }
}

/** Endpoints are kept apart from the paths of their application: they do not use up its paths. */
function ownerOf({ application, endpointId }: Delivery): string {
  return endpointId === undefined ? `paths ${application}` : `endpoints ${application}`;
}

/** Returns the key of a delivery's receiver, and for a bare URL that of its origin. */
function keysOf({ endpointId, request, fairnessKey }: Delivery): string[] {
  if (endpointId !== undefined) return [endpointId];
  const end = request.url.search(/[?#]/);
  const path = end < 0 ? request.url : request.url.slice(0, end);
  return [path, `origin ${parseFairnessKey(fairnessKey).origin}`];
}

function newState(nowMs: number): ReceiverState {
  return {
    troublesInRow: 0,
    pausesInRow: 0,
    pausedUntilMs: 0,
    starts: Infinity,
    answersInRow: 0,
    postponed: 0,
    backlog: 0,
    changedAtMs: nowMs,
  };
}

function waitOf(state: ReceiverState, nowMs: number): number {
  if (nowMs < state.pausedUntilMs) return state.pausedUntilMs - nowMs;
  if (state.starts >= 1) return 0;
  return nowMs - state.changedAtMs > lostAfterMs ? 0 : recoveringWaitMs;
}

/** Forgets receivers whose last trouble is long ago. */
function forgetOld(states: Map<string, ReceiverState>, nowMs: number): void {
  for (const [key, { changedAtMs, pausedUntilMs }] of states) {
    if (nowMs > Math.max(changedAtMs, pausedUntilMs) + maxSpreadMs) states.delete(key);
  }
}
