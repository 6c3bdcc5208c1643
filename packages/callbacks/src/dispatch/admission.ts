import type { Delivery, Verdict } from '../delivery/delivery.js';
import type { DatabaseClock } from './database-clock.js';
import type { EndpointLimits, Slots } from './slots.js';

/** What a worker must know of an endpoint. */
export interface EndpointSettings extends EndpointLimits {
  readonly active: boolean;
  readonly headers: Readonly<Record<string, string>>;
}

/** Where a worker learns about endpoints; answers may come from a cache. */
export interface EndpointDirectory {
  /** The settings of those that there are. */
  settings(ids: readonly string[]): Promise<ReadonlyMap<string, EndpointSettings>>;
  /** What is known of it has changed. */
  forget(id: string): void;
}

/** A delivery that has a slot and may be attempted. */
export interface Admitted {
  readonly delivery: Delivery;
  readonly endpoint: EndpointSettings | undefined;
  /** When its lease was asked for, by the steady clock. */
  readonly leasedAtMs: number;
}

export interface AdmissionDeps {
  readonly slots: Slots;
  readonly endpoints: EndpointDirectory;
  readonly clock: DatabaseClock;
  /** Attempts of unknown outcome after which a callback fails for good. */
  readonly maxUnknowns: number;
  readonly onAdmitted: (admitted: Admitted) => void;
  /** What is not attempted under this lease, and what becomes of it. */
  readonly onRefused: (delivery: Delivery, verdict: Verdict) => void;
}

/** Lets what was claimed have a slot, unless there is none or something ends or stops it. */
export class Admission {
  readonly #deps: AdmissionDeps;
  readonly #underWay = new Set<Promise<void>>();
  #closed = false;

  constructor(deps: AdmissionDeps) {
    this.#deps = deps;
  }

  /**
   * Decides about each; once closed, gives them all back. Rejects with what the endpoint directory
   * rejects with: they have been given back then too.
   */
  admit(deliveries: readonly Delivery[], leasedAtMs: number): Promise<void> {
    const deciding = this.#decide(deliveries, leasedAtMs).finally(() => {
      this.#underWay.delete(deciding);
    });
    this.#underWay.add(deciding);
    return deciding;
  }

  /** Admits no more; resolves when all it was given is decided about. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#underWay);
  }

  async #decide(deliveries: readonly Delivery[], leasedAtMs: number): Promise<void> {
    // At once, so that a worker that stops writes it among its last results.
    if (this.#closed) return this.#giveBack(deliveries);
    const endpoints = await this.#endpointsOf(deliveries).catch((error: unknown) => {
      this.#giveBack(deliveries);
      throw error;
    });
    for (const delivery of deliveries) {
      this.#decideOne(delivery, endpoints?.get(delivery.endpointId ?? ''), leasedAtMs);
    }
  }

  async #endpointsOf(
    deliveries: readonly Delivery[],
  ): Promise<ReadonlyMap<string, EndpointSettings> | undefined> {
    const ids = deliveries.flatMap(({ endpointId }) => endpointId ?? []);
    return ids.length === 0 ? undefined : await this.#deps.endpoints.settings(ids);
  }

  #decideOne(delivery: Delivery, endpoint: EndpointSettings | undefined, leasedAtMs: number): void {
    const { slots, endpoints, clock, maxUnknowns, onAdmitted, onRefused } = this.#deps;
    const refusal = refusalOf(delivery, endpoint, { nowMs: clock.now(), maxUnknowns });
    if (refusal) {
      // What is remembered may be over: the store decides, and the next claim asks again.
      if (refusal.kind === 'hold') endpoints.forget(delivery.endpointId ?? '');
      onRefused(delivery, refusal);
    } else if (!this.#closed && slots.acquire(delivery.fairnessKey, endpoint, performance.now())) {
      onAdmitted({ delivery, endpoint, leasedAtMs });
    } else {
      onRefused(delivery, { kind: 'release' });
    }
  }

  #giveBack(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) this.#deps.onRefused(delivery, { kind: 'release' });
  }
}

/** What ends or stops a delivery without an attempt. Pure. */
export function refusalOf(
  delivery: Delivery,
  endpoint: EndpointSettings | undefined,
  { nowMs, maxUnknowns }: { readonly nowMs: number; readonly maxUnknowns: number },
): Verdict | undefined {
  if (delivery.endpointId !== undefined) {
    if (!endpoint) return { kind: 'ended', ending: 'cancelled' };
    if (!endpoint.active) return { kind: 'hold' };
  }
  if (delivery.cancelled) return { kind: 'ended', ending: 'cancelled' };
  if (delivery.unknowns >= maxUnknowns) return { kind: 'ended', ending: 'failed' };
  const expired = delivery.expiresAtMs !== undefined && delivery.expiresAtMs <= nowMs;
  return expired ? { kind: 'ended', ending: 'expired' } : undefined;
}
