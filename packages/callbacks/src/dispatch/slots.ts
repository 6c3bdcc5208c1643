import { parseFairnessKey } from '../delivery/fairness-key.js';
import type { HostSignal } from '../delivery/outcome.js';
import type { Capacity } from './claim-store.js';
import { OriginLimiter, type OriginLimits } from './origin-limiter.js';

/** How much may be in flight at once, in this process. */
export interface SlotLimits {
  readonly total: number;
  readonly perApplication: number;
  readonly origin: OriginLimits;
}

/** What an endpoint allows on top. */
export interface EndpointLimits {
  readonly maxConcurrency: number | undefined;
  readonly ratePerSecond: number | undefined;
}

interface EndpointUse {
  limits: EndpointLimits;
  /** Its URL may have changed while callbacks to the old one were left: each has a lane. */
  readonly fairnessKeys: Set<string>;
  inFlight: number;
  /** Attempts that the rate allows now, and when that was computed. */
  tokens: number;
  refilledAtMs: number;
}

/** Origins and endpoints remembered at most; idle ones beyond it are forgotten. */
const maxRemembered = 1_024;

/**
 * Who has how many requests in flight: in all, per origin, per application, per endpoint. Slow or
 * hanging hosts fill their own share and no more.
 */
export class Slots {
  readonly #limits: SlotLimits;
  readonly #origins = new Map<string, OriginLimiter>();
  readonly #applications = new Map<string, number>();
  readonly #endpoints = new Map<string, EndpointUse>();
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

  /** Takes a slot; false when one of the limits is reached. */
  acquire(fairnessKey: string, endpoint: EndpointLimits | undefined, nowMs: number): boolean {
    const { origin, application, endpointId } = parseFairnessKey(fairnessKey);
    // Also of one that is full: what is known of it goes into the next claim, which else would
    // bring the same again.
    if (endpointId !== undefined && endpoint)
      this.#setEndpoint(endpointId, fairnessKey, endpoint, nowMs);
    const limiter = this.#originLimiter(origin, nowMs);
    if (
      this.free <= 0 ||
      limiter.capacity(nowMs) <= 0 ||
      this.#applicationCapacity(application) <= 0
    ) {
      return false;
    }
    const use = endpointId === undefined ? undefined : this.#endpoints.get(endpointId);
    if (use && endpointCapacity(use, nowMs) <= 0) return false;
    this.#inFlight += 1;
    limiter.started();
    this.#applications.set(application, (this.#applications.get(application) ?? 0) + 1);
    if (use) {
      use.inFlight += 1;
      use.tokens -= 1;
    }
    return true;
  }

  /** Gives a slot back. */
  release(fairnessKey: string, nowMs: number): void {
    const { origin, application, endpointId } = parseFairnessKey(fairnessKey);
    this.#inFlight -= 1;
    this.#originLimiter(origin, nowMs).left();
    this.#lower(this.#applications, application);
    const use = endpointId === undefined ? undefined : this.#endpoints.get(endpointId);
    if (use) use.inFlight -= 1;
  }

  /** Takes in what an attempt told about its host. */
  report(fairnessKey: string, signal: HostSignal, nowMs: number, random: number): void {
    this.#originLimiter(parseFairnessKey(fairnessKey).origin, nowMs).report(signal, nowMs, random);
  }

  /** When the origin of a lane opens again, if it is closed. */
  closedUntil(fairnessKey: string, nowMs: number): number | undefined {
    return this.#origins.get(parseFairnessKey(fairnessKey).origin)?.closedUntil(nowMs);
  }

  /** What may be claimed now. */
  capacity(nowMs: number): Capacity {
    const origins = new Map<string, number>();
    for (const [origin, limiter] of this.#origins)
      origins.set(origin, Math.max(0, limiter.capacity(nowMs)));
    const applications = new Map<string, number>();
    for (const application of this.#applications.keys()) {
      applications.set(application, Math.max(0, this.#applicationCapacity(application)));
    }
    const fairnessKeys = new Map<string, number>();
    for (const use of this.#endpoints.values()) {
      const room = Math.max(0, endpointCapacity(use, nowMs));
      // One that takes whatever may be claimed needs no mention.
      if (room < this.free) for (const key of use.fairnessKeys) fairnessKeys.set(key, room);
    }
    return {
      limit: this.free,
      origins,
      applications,
      fairnessKeys,
      originDefault: this.#limits.origin.initial,
      applicationDefault: this.#limits.perApplication,
    };
  }

  /** The next moment at which something closed or rate-limited opens, if anything is. */
  opensAtMs(nowMs: number): number | undefined {
    let first: number | undefined;
    for (const limiter of this.#origins.values()) {
      const until = limiter.closedUntil(nowMs);
      if (until !== undefined && (first === undefined || until < first)) first = until;
    }
    for (const use of this.#endpoints.values()) {
      const rate = use.limits.ratePerSecond;
      if (rate === undefined || tokensNow(use, nowMs) >= 1) continue;
      const at = nowMs + ((1 - tokensNow(use, nowMs)) / rate) * 1_000;
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

  #setEndpoint(id: string, fairnessKey: string, limits: EndpointLimits, nowMs: number): void {
    let use = this.#endpoints.get(id);
    if (!use) {
      if (this.#endpoints.size >= maxRemembered) this.#forgetIdle(nowMs);
      const tokens = Math.max(1, limits.ratePerSecond ?? 0);
      use = { limits, fairnessKeys: new Set(), inFlight: 0, tokens, refilledAtMs: nowMs };
      this.#endpoints.set(id, use);
    }
    use.tokens = tokensNow(use, nowMs);
    use.refilledAtMs = nowMs;
    use.limits = limits;
    use.fairnessKeys.add(fairnessKey);
  }

  #lower(counts: Map<string, number>, key: string): void {
    const count = (counts.get(key) ?? 1) - 1;
    if (count > 0) counts.set(key, count);
    else counts.delete(key);
  }

  #forgetIdle(nowMs: number): void {
    for (const [origin, limiter] of this.#origins) {
      if (limiter.isStale(nowMs)) this.#origins.delete(origin);
    }
    for (const [id, use] of this.#endpoints) {
      if (use.inFlight === 0 && tokensNow(use, nowMs) >= 1) this.#endpoints.delete(id);
    }
  }
}

/** How many more attempts its concurrency and its rate allow now; Infinity without either. */
function endpointCapacity(use: EndpointUse, nowMs: number): number {
  const { maxConcurrency = Infinity } = use.limits;
  return Math.min(maxConcurrency - use.inFlight, Math.floor(tokensNow(use, nowMs)));
}

/** A bucket of one second's worth, filled steadily. */
function tokensNow(use: EndpointUse, nowMs: number): number {
  const rate = use.limits.ratePerSecond;
  if (rate === undefined) return Infinity;
  const refilled = use.tokens + ((nowMs - use.refilledAtMs) / 1_000) * rate;
  return Math.min(Math.max(1, rate), refilled);
}
