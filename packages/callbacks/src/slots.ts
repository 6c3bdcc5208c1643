import { parseLaneKey } from './lane.js';
import { type HostSignal, OriginGate, type OriginLimits } from './origin-gate.js';

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

/** What a claim may bring, see ClaimRequest. */
export interface Room {
  readonly limit: number;
  readonly fullOrigins: string[];
  readonly fullApplications: string[];
  readonly lanes: string[];
  readonly rooms: number[];
  readonly defaultRoom: number;
  /** Whether anything is full: work may be left where this claim does not look. */
  readonly restricted: boolean;
}

interface EndpointUse {
  limits: EndpointLimits;
  inFlight: number;
  /** Attempts that the rate allows now, and when that was computed. */
  tokens: number;
  refilledAtMs: number;
}

/** Lanes and origins remembered at most; idle ones beyond it are forgotten. */
const maxRemembered = 1_024;

/**
 * Who has how many requests in flight: in all, per origin, per application, per endpoint. Slow or
 * hanging hosts fill their own share and no more.
 */
export class Slots {
  readonly #limits: SlotLimits;
  readonly #origins = new Map<string, OriginGate>();
  readonly #applications = new Map<string, number>();
  readonly #endpoints = new Map<string, EndpointUse>();
  readonly #lanes = new Map<string, number>();
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
  take(lane: string, endpoint: EndpointLimits | undefined, nowMs: number): boolean {
    const { origin, application, endpointId } = parseLaneKey(lane);
    if (endpointId !== undefined && endpoint) this.#setEndpoint(endpointId, endpoint, nowMs);
    if (this.#roomOf(lane, 1, nowMs) <= 0) {
      // What is known of it goes into the next claim, which else would bring the same again.
      this.#countLane(lane, 0, nowMs);
      return false;
    }
    this.#inFlight += 1;
    this.#gate(origin).started();
    this.#applications.set(application, (this.#applications.get(application) ?? 0) + 1);
    const use = endpointId === undefined ? undefined : this.#endpoints.get(endpointId);
    if (use) {
      use.inFlight += 1;
      use.tokens -= 1;
    }
    this.#countLane(lane, 1, nowMs);
    return true;
  }

  /** Gives a slot back. */
  give(lane: string, nowMs: number): void {
    const { origin, application, endpointId } = parseLaneKey(lane);
    this.#inFlight -= 1;
    this.#gate(origin).left();
    this.#lower(this.#applications, application);
    this.#countLane(lane, -1, nowMs);
    const use = endpointId === undefined ? undefined : this.#endpoints.get(endpointId);
    if (use) use.inFlight -= 1;
  }

  /** Takes in what an attempt told about its host. */
  report(lane: string, signal: HostSignal, nowMs: number, random: number): void {
    this.#gate(parseLaneKey(lane).origin).report(signal, nowMs, random);
  }

  /** What may be claimed now. */
  room(nowMs: number): Room {
    const fullOrigins: string[] = [];
    for (const [origin, gate] of this.#origins) if (gate.room(nowMs) <= 0) fullOrigins.push(origin);
    const fullApplications: string[] = [];
    for (const [application, count] of this.#applications) {
      if (count >= this.#limits.perApplication) fullApplications.push(application);
    }
    const lanes = [...this.#lanes.keys()];
    const perOrigin = new Map<string, number>();
    for (const lane of lanes) {
      const { origin } = parseLaneKey(lane);
      perOrigin.set(origin, (perOrigin.get(origin) ?? 0) + 1);
    }
    const rooms = lanes.map((lane) =>
      this.#roomOf(lane, perOrigin.get(parseLaneKey(lane).origin) ?? 1, nowMs),
    );
    const { initial } = this.#limits.origin;
    const restricted =
      fullOrigins.length > 0 || fullApplications.length > 0 || rooms.some((room) => room <= 0);
    return {
      limit: this.free,
      fullOrigins,
      fullApplications,
      lanes,
      rooms,
      defaultRoom: initial,
      restricted,
    };
  }

  /** The next moment at which something closed or rate-limited opens, if anything is. */
  opensAtMs(nowMs: number): number | undefined {
    let first: number | undefined;
    for (const gate of this.#origins.values()) {
      const until = gate.closedUntil(nowMs);
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

  #roomOf(lane: string, sharers: number, nowMs: number): number {
    const { origin, application, endpointId } = parseLaneKey(lane);
    const gateRoom = this.#origins.get(origin)?.room(nowMs) ?? this.#limits.origin.initial;
    const applicationRoom =
      this.#limits.perApplication - (this.#applications.get(application) ?? 0);
    const use = endpointId === undefined ? undefined : this.#endpoints.get(endpointId);
    const concurrency = use?.limits.maxConcurrency;
    const endpointRoom = concurrency === undefined || !use ? Infinity : concurrency - use.inFlight;
    const rateRoom = use?.limits.ratePerSecond === undefined ? Infinity : tokensNow(use, nowMs);
    return Math.floor(
      Math.min(Math.ceil(gateRoom / sharers), applicationRoom, endpointRoom, rateRoom, this.free),
    );
  }

  #countLane(lane: string, change: number, nowMs: number): void {
    const count = this.#lanes.get(lane);
    if (count === undefined && this.#lanes.size >= maxRemembered) this.#forgetIdle(nowMs);
    this.#lanes.set(lane, (count ?? 0) + change);
  }

  #gate(origin: string): OriginGate {
    let gate = this.#origins.get(origin);
    if (!gate) {
      gate = new OriginGate(this.#limits.origin);
      this.#origins.set(origin, gate);
    }
    return gate;
  }

  #setEndpoint(id: string, limits: EndpointLimits, nowMs: number): void {
    const use = this.#endpoints.get(id);
    if (!use) {
      const tokens = Math.max(1, limits.ratePerSecond ?? 0);
      this.#endpoints.set(id, { limits, inFlight: 0, tokens, refilledAtMs: nowMs });
      return;
    }
    use.tokens = tokensNow(use, nowMs);
    use.refilledAtMs = nowMs;
    use.limits = limits;
  }

  #lower(counts: Map<string, number>, key: string): void {
    const count = (counts.get(key) ?? 1) - 1;
    if (count > 0) counts.set(key, count);
    else counts.delete(key);
  }

  #forgetIdle(nowMs: number): void {
    for (const [lane, count] of this.#lanes) if (count === 0) this.#lanes.delete(lane);
    for (const [origin, gate] of this.#origins)
      if (gate.isStale(nowMs)) this.#origins.delete(origin);
    for (const [id, use] of this.#endpoints) {
      if (use.inFlight === 0 && tokensNow(use, nowMs) >= 1) this.#endpoints.delete(id);
    }
  }
}

/** A bucket of one second's worth, filled steadily. */
function tokensNow(use: EndpointUse, nowMs: number): number {
  const rate = use.limits.ratePerSecond;
  if (rate === undefined) return Infinity;
  const refilled = use.tokens + ((nowMs - use.refilledAtMs) / 1_000) * rate;
  return Math.min(Math.max(1, rate), refilled);
}
