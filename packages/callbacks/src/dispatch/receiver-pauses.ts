import type { Delivery } from '../delivery/delivery.js';
import type { HostSignal } from '../delivery/outcome.js';
import { type Moment, ReceiverState } from './receiver-state.js';

/** Paths of one application that are kept apart; beyond them their origin is paused for it. */
const maxReceivers = 1_000;
/** Applications above which those are forgotten whose last trouble is long ago. */
const maxApplications = 1_024;
/** Shortest time between two searches for these, in ms: a search looks at all receivers. */
const searchEveryMs = 10_000;
/** Receivers that a search leaves, about 50 MB. Beyond them those are forgotten that are known longest. */
const maxKnown = 100_000;

type States = Map<string, ReceiverState>;

/** Receivers of one application that are in trouble. */
interface Receivers {
  /** By id of the endpoint: endpoints do not use up the paths of their application. */
  readonly endpoints: States;
  /** By URL without query and fragment. */
  readonly paths: States;
  /** By fairness key: origins that are paused because there are too many paths. */
  readonly origins: States;
}

/**
 * Receivers that asked for a pause, or did not answer in time. A receiver is an endpoint, or for a
 * callback without an endpoint its application with its URL without the query: no application waits
 * because of another one's receiver.
 *
 * It is asked about every delivery. While no receiver of its application is in trouble, that costs
 * one look-up and makes no text or array.
 *
 * Connection failures are not counted here: they are about the host (origin-limiter.ts). Pure: time
 * and randomness are passed in. Each worker learns of a receiver by itself.
 */
export class ReceiverPauses {
  readonly #applications = new Map<string, Receivers>();
  #nextSearchMs = -Infinity;

  /** Returns the time for which a delivery must be postponed, in ms; 0 if it may start now. */
  postponementMs(delivery: Delivery, moment: Moment): number {
    const receivers = this.#receiversOf(delivery);
    if (receivers === undefined) return 0;
    const ofReceiver = findReceiver(receivers, delivery)?.postpone(moment) ?? 0;
    return Math.max(ofReceiver, findOrigin(receivers, delivery)?.postpone(moment) ?? 0);
  }

  /** Counts an attempt that starts. */
  started(delivery: Delivery, nowMs: number): void {
    const receivers = this.#receiversOf(delivery);
    if (receivers === undefined) return;
    findReceiver(receivers, delivery)?.started(nowMs);
    findOrigin(receivers, delivery)?.started(nowMs);
  }

  /** Returns the end of the receiver's pause; `undefined` if it is not paused. */
  pausedUntil(delivery: Delivery, nowMs: number): number | undefined {
    const receivers = this.#receiversOf(delivery);
    if (receivers === undefined) return undefined;
    const ofReceiverMs = findReceiver(receivers, delivery)?.pausedUntilMs ?? 0;
    const latestMs = Math.max(ofReceiverMs, findOrigin(receivers, delivery)?.pausedUntilMs ?? 0);
    return latestMs > nowMs ? latestMs : undefined;
  }

  /**
   * Adapts the receiver's state to an attempt's signal. Returns true if the signal is trouble that
   * a pause of the receiver takes care of, so that nothing else has to slow down for it.
   */
  report(delivery: Delivery, signal: HostSignal, moment: Moment): boolean {
    switch (signal.kind) {
      case 'answered':
        this.#answered(delivery, moment.nowMs);
        return false;
      case 'unreachable':
        this.#unreachable(delivery);
        return false;
      case 'slow':
        return this.#stateFor(delivery, moment.nowMs).troubled(0, moment);
      case 'overloaded': {
        const { retryAfterMs = 0 } = signal;
        return this.#stateFor(delivery, moment.nowMs).troubled(retryAfterMs, moment);
      }
    }
  }

  #receiversOf({ application }: Delivery): Receivers | undefined {
    return this.#applications.size === 0 ? undefined : this.#applications.get(application);
  }

  #answered(delivery: Delivery, nowMs: number): void {
    const receivers = this.#receiversOf(delivery);
    if (receivers === undefined) return;
    if (findReceiver(receivers, delivery)?.answered(nowMs)) {
      statesLike(receivers, delivery).delete(keyOf(delivery));
    }
    if (findOrigin(receivers, delivery)?.answered(nowMs)) {
      receivers.origins.delete(delivery.fairnessKey);
    }
    if (isEmpty(receivers)) this.#applications.delete(delivery.application);
  }

  #unreachable(delivery: Delivery): void {
    const receivers = this.#receiversOf(delivery);
    if (receivers === undefined) return;
    findReceiver(receivers, delivery)?.unreachable();
    findOrigin(receivers, delivery)?.unreachable();
  }

  /** Returns the state of the receiver, or of its origin if too many paths are kept already. */
  #stateFor(delivery: Delivery, nowMs: number): ReceiverState {
    const receivers = this.#receiversFor(delivery.application, nowMs);
    const states = statesLike(receivers, delivery);
    const key = keyOf(delivery);
    if (!states.has(key) && states.size >= maxReceivers) forgetOld(states, nowMs);
    const isKeptApart =
      delivery.endpointId !== undefined || states.has(key) || states.size < maxReceivers;
    return isKeptApart
      ? getOrAdd(states, key, nowMs)
      : getOrAdd(receivers.origins, delivery.fairnessKey, nowMs);
  }

  #receiversFor(application: string, nowMs: number): Receivers {
    const known = this.#applications.get(application);
    if (known !== undefined) return known;
    if (this.#applications.size >= maxApplications && nowMs >= this.#nextSearchMs) {
      this.#nextSearchMs = nowMs + searchEveryMs;
      this.#forgetOld(nowMs);
    }
    const receivers = { endpoints: new Map(), paths: new Map(), origins: new Map() };
    this.#applications.set(application, receivers);
    return receivers;
  }

  #forgetOld(nowMs: number): void {
    let known = 0;
    for (const [application, receivers] of this.#applications) {
      const { endpoints, paths, origins } = receivers;
      for (const states of [endpoints, paths, origins]) forgetOld(states, nowMs);
      if (isEmpty(receivers)) this.#applications.delete(application);
      known += sizeOf(receivers);
    }
    // In the order in which the applications had their first trouble. A callback that was told to
    // wait does so all the same: only the others of its receiver are not held back any longer.
    for (const [application, receivers] of this.#applications) {
      if (known <= maxKnown) return;
      known -= sizeOf(receivers);
      this.#applications.delete(application);
    }
  }
}

/** Returns the states of receivers of the delivery's kind. */
function statesLike({ endpoints, paths }: Receivers, { endpointId }: Delivery): States {
  return endpointId === undefined ? paths : endpoints;
}

/** Returns the key of a delivery's receiver among those of its kind. */
function keyOf({ endpointId, request: { url } }: Delivery): string {
  if (endpointId !== undefined) return endpointId;
  const end = url.search(/[?#]/);
  return end < 0 ? url : url.slice(0, end);
}

function findReceiver(receivers: Receivers, delivery: Delivery): ReceiverState | undefined {
  const states = statesLike(receivers, delivery);
  return states.size === 0 ? undefined : states.get(keyOf(delivery));
}

function findOrigin({ origins }: Receivers, delivery: Delivery): ReceiverState | undefined {
  // Of a callback without an endpoint, the fairness key is its application and its origin.
  return delivery.endpointId === undefined ? origins.get(delivery.fairnessKey) : undefined;
}

function getOrAdd(states: States, key: string, nowMs: number): ReceiverState {
  const known = states.get(key);
  if (known !== undefined) return known;
  const state = new ReceiverState(nowMs);
  states.set(key, state);
  return state;
}

function sizeOf({ endpoints, paths, origins }: Receivers): number {
  return endpoints.size + paths.size + origins.size;
}

function isEmpty(receivers: Receivers): boolean {
  return sizeOf(receivers) === 0;
}

/** Forgets receivers whose last trouble is long ago. */
function forgetOld(states: States, nowMs: number): void {
  for (const [key, state] of states) if (state.isOld(nowMs)) states.delete(key);
}
