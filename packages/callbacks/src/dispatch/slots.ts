import { parseFairnessKey } from '../delivery/fairness-key.js';
import type { HostSignal } from '../delivery/outcome.js';
import type { Capacity } from './claim-store.js';
import { OriginLimiter, type OriginLimits } from './origin-limiter.js';
import { SenderLimiter } from './sender-limiter.js';

/** Limits of the attempts in flight of one dispatcher. */
export interface SlotLimits {
  readonly total: number;
  readonly perApplication: number;
  readonly origin: OriginLimits;
}

/** Limits that an endpoint adds; absent: none. */
export interface EndpointLimits {
  readonly maxConcurrency: number | undefined;
  readonly ratePerSecond: number | undefined;
}

interface EndpointUsage {
  limits: EndpointLimits;
  /** One for each URL of the endpoint: callbacks to an earlier URL may still be unfinished. */
  readonly fairnessKeys: Set<string>;
  inFlight: number;
  /** Token bucket: attempts that the rate allows, as of `refilledAtMs`. */
  tokens: number;
  refilledAtMs: number;
}

/** Moment of a signal and what was made of it. */
export interface SignalContext {
  readonly nowMs: number;
  /** In [0, 1). */
  readonly random: number;
  /** True if a pause of the receiver takes care of it: nothing else slows down. */
  readonly isPaused: boolean;
}

/** Most origins, senders and endpoints that are remembered; above it, idle ones are forgotten. */
const maxRemembered = 1_024;

/**
 * Counts of the attempts in flight: in all, per origin, per application, per endpoint, and per
 * sender. A slow or hanging receiver uses the share of those who send to it and no more. Times are
 * by the monotonic clock, in ms.
 */
export class Slots {
  readonly #limits: SlotLimits;
  readonly #origins = new Map<string, OriginLimiter>();
  /** By fairness key. */
  readonly #senders = new Map<string, SenderLimiter>();
  readonly #applications = new Map<string, number>();
  readonly #endpoints = new Map<string, EndpointUsage>();
  #inFlight = 0;

  constructor(limits: SlotLimits) {
    this.#limits = limits;
  }

  get free(): number {
    return this.#limits.total - this.#inFlight;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Acquires a slot. Returns false when one of the limits is reached. */
  acquire(fairnessKey: string, endpoint: EndpointLimits | undefined, nowMs: number): boolean {
    const { origin, application, endpointId } = parseFairnessKey(fairnessKey);
    // Before the limits are checked: the next claim must know of a full endpoint too, or it would
    // return the same callbacks again.
    if (endpointId !== undefined && endpoint) {
      this.#setEndpoint(endpointId, endpoint, nowMs).fairnessKeys.add(fairnessKey);
    }
    const limiter = this.#originLimiter(origin, nowMs);
    const sender = this.#senderLimiter(fairnessKey, nowMs);
    if (
      this.free <= 0 ||
      sender.capacity <= 0 ||
      limiter.capacity(nowMs) <= 0 ||
      this.#applicationCapacity(application) <= 0
    ) {
      return false;
    }
    const usage = endpointId === undefined ? undefined : this.#endpoints.get(endpointId);
    if (usage && endpointCapacity(usage, nowMs) <= 0) return false;
    this.#inFlight += 1;
    limiter.started();
    sender.started();
    this.#applications.set(application, (this.#applications.get(application) ?? 0) + 1);
    if (usage) {
      usage.inFlight += 1;
      usage.tokens -= 1;
    }
    return true;
  }

  /** Releases a slot. */
  release(fairnessKey: string, nowMs: number): void {
    const { origin, application, endpointId } = parseFairnessKey(fairnessKey);
    this.#inFlight -= 1;
    this.#originLimiter(origin, nowMs).ended();
    this.#senderLimiter(fairnessKey, nowMs).ended();
    this.#decrement(this.#applications, application);
    const usage = endpointId === undefined ? undefined : this.#endpoints.get(endpointId);
    if (usage) usage.inFlight -= 1;
  }

  /** Adapts the limits of an attempt's origin and sender to its signal. */
  report(
    fairnessKey: string,
    signal: HostSignal,
    { nowMs, random, isPaused }: SignalContext,
  ): void {
    this.#originLimiter(parseFairnessKey(fairnessKey).origin, nowMs).report(signal, nowMs, random);
    if (!isPaused) this.#senderLimiter(fairnessKey, nowMs).report(signal);
  }

  /** Returns the end of the suspension of a key's origin; `undefined` when it is not suspended. */
  suspendedUntil(fairnessKey: string, nowMs: number): number | undefined {
    return this.#origins.get(parseFairnessKey(fairnessKey).origin)?.suspendedUntil(nowMs);
  }

  /** Returns the capacity that a claim may use now. */
  capacity(nowMs: number): Capacity {
    const { max, initial } = this.#limits.origin;
    const origins = new Map<string, number>();
    for (const [origin, limiter] of this.#origins) {
      const capacity = Math.max(0, limiter.capacity(nowMs));
      if (capacity !== max) origins.set(origin, capacity);
    }
    const applications = new Map<string, number>();
    for (const application of this.#applications.keys()) {
      applications.set(application, Math.max(0, this.#applicationCapacity(application)));
    }
    const fairnessKeys = new Map<string, number>();
    for (const [key, sender] of this.#senders) {
      const capacity = Math.max(0, sender.capacity);
      if (capacity !== initial) fairnessKeys.set(key, capacity);
    }
    for (const usage of this.#endpoints.values()) {
      const capacity = Math.max(0, endpointCapacity(usage, nowMs));
      // A larger one does not restrict the claim.
      if (capacity >= this.free) continue;
      for (const key of usage.fairnessKeys) {
        fairnessKeys.set(key, Math.min(capacity, fairnessKeys.get(key) ?? initial));
      }
    }
    return {
      limit: this.free,
      origins,
      applications,
      fairnessKeys,
      originDefault: max,
      applicationDefault: this.#limits.perApplication,
      fairnessKeyDefault: initial,
    };
  }

  /**
   * Returns the first moment at which a suspension ends or a rate limit allows another attempt;
   * `undefined` when nothing is suspended or limited by its rate.
   */
  nextAvailableAtMs(nowMs: number): number | undefined {
    let first: number | undefined;
    for (const limiter of this.#origins.values()) {
      const until = limiter.suspendedUntil(nowMs);
      if (until !== undefined && (first === undefined || until < first)) first = until;
    }
    for (const usage of this.#endpoints.values()) {
      const rate = usage.limits.ratePerSecond;
      if (rate === undefined || tokensNow(usage, nowMs) >= 1) continue;
      const at = nowMs + ((1 - tokensNow(usage, nowMs)) / rate) * 1_000;
      if (first === undefined || at < first) first = at;
    }
    return first;
  }

  #applicationCapacity(application: string): number {
    return this.#limits.perApplication - (this.#applications.get(application) ?? 0);
  }

  #originLimiter(origin: string, nowMs: number): OriginLimiter {
    let limiter = this.#origins.get(origin);
    if (!limiter) {
      if (this.#origins.size >= maxRemembered) this.#forgetIdle(nowMs);
      limiter = new OriginLimiter(this.#limits.origin);
      this.#origins.set(origin, limiter);
    }
    return limiter;
  }

  #senderLimiter(fairnessKey: string, nowMs: number): SenderLimiter {
    let limiter = this.#senders.get(fairnessKey);
    if (!limiter) {
      if (this.#senders.size >= maxRemembered) this.#forgetIdle(nowMs);
      limiter = new SenderLimiter(this.#limits.origin);
      this.#senders.set(fairnessKey, limiter);
    }
    return limiter;
  }

  #setEndpoint(id: string, limits: EndpointLimits, nowMs: number): EndpointUsage {
    let usage = this.#endpoints.get(id);
    if (!usage) {
      if (this.#endpoints.size >= maxRemembered) this.#forgetIdle(nowMs);
      const tokens = Math.max(1, limits.ratePerSecond ?? 0);
      usage = { limits, fairnessKeys: new Set(), inFlight: 0, tokens, refilledAtMs: nowMs };
      this.#endpoints.set(id, usage);
    }
    usage.tokens = tokensNow(usage, nowMs);
    usage.refilledAtMs = nowMs;
    usage.limits = limits;
    return usage;
  }

  #decrement(counts: Map<string, number>, key: string): void {
    const count = (counts.get(key) ?? 1) - 1;
    if (count > 0) counts.set(key, count);
    else counts.delete(key);
  }

  #forgetIdle(nowMs: number): void {
    for (const [origin, limiter] of this.#origins) {
      if (limiter.isStale(nowMs)) this.#origins.delete(origin);
    }
    for (const [key, sender] of this.#senders) {
      if (sender.isIdle) this.#senders.delete(key);
    }
    for (const [id, usage] of this.#endpoints) {
      if (usage.inFlight === 0 && tokensNow(usage, nowMs) >= 1) this.#endpoints.delete(id);
    }
  }
}

/**
 * Returns the attempts that an endpoint's concurrency and rate still allow; Infinity without
 * limits.
 */
function endpointCapacity(usage: EndpointUsage, nowMs: number): number {
  const { maxConcurrency = Infinity } = usage.limits;
  return Math.min(maxConcurrency - usage.inFlight, Math.floor(tokensNow(usage, nowMs)));
}

/** Returns the tokens in the bucket, which holds those of one second and fills steadily. */
function tokensNow(usage: EndpointUsage, nowMs: number): number {
  const rate = usage.limits.ratePerSecond;
  if (rate === undefined) return Infinity;
  const refilled = usage.tokens + ((nowMs - usage.refilledAtMs) / 1_000) * rate;
  return Math.min(Math.max(1, rate), refilled);
}
