import type { Delivery, Verdict } from '../delivery/delivery.js';
import type { DatabaseClock } from './database-clock.js';
import type { ReceiverPauses } from './receiver-pauses.js';
import type { EndpointLimits, Slots } from './slots.js';

/** Settings of an endpoint that a worker needs. */
export interface EndpointSettings extends EndpointLimits {
  /** False while the endpoint is paused or disabled. */
  readonly active: boolean;
  readonly headers: Readonly<Record<string, string>>;
}

/** Source of endpoints' settings; may answer from a cache. */
export interface EndpointDirectory {
  /** Returns the settings of the endpoints that exist. */
  settings(ids: readonly string[]): Promise<ReadonlyMap<string, EndpointSettings>>;
  /** Drops an endpoint's cached settings, because they have changed. */
  forget(id: string): void;
}

/** Delivery that has a slot and may be attempted. */
export interface AdmittedDelivery {
  readonly delivery: Delivery;
  readonly endpoint: EndpointSettings | undefined;
  /** Time at which its lease was requested, by the monotonic clock in ms. */
  readonly leasedAtMs: number;
}

/** Dependencies of an {@link Admission}. */
export interface AdmissionDeps {
  readonly slots: Slots;
  readonly pauses: ReceiverPauses;
  readonly endpoints: EndpointDirectory;
  readonly clock: DatabaseClock;
  /** Attempts of unknown outcome after which a callback fails for good. */
  readonly maxUnknowns: number;
  readonly onAdmitted: (admitted: AdmittedDelivery) => void;
  /** Called for a delivery that is not attempted under this lease. */
  readonly onRefused: (delivery: Delivery, verdict: Verdict) => void;
}

/** Gives claimed deliveries their slots, and refuses those that have none or must not be sent. */
export class Admission {
  readonly #deps: AdmissionDeps;
  readonly #underWay = new Set<Promise<void>>();
  #closed = false;

  constructor(deps: AdmissionDeps) {
    this.#deps = deps;
  }

  /**
   * Admits or refuses each delivery; once closed, releases them all. Rejects with the error of the
   * endpoint directory; the deliveries have been released then too.
   */
  admit(deliveries: readonly Delivery[], leasedAtMs: number): Promise<void> {
    const deciding = this.#decide(deliveries, leasedAtMs).finally(() => {
      this.#underWay.delete(deciding);
    });
    this.#underWay.add(deciding);
    return deciding;
  }

  /** Admits no more; resolves when all deliveries are admitted or refused. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#underWay);
  }

  async #decide(deliveries: readonly Delivery[], leasedAtMs: number): Promise<void> {
    // Without waiting for anything: a worker that stops writes this among its last results.
    if (this.#closed) return this.#releaseAll(deliveries);
    const endpoints = await this.#endpointsOf(deliveries).catch((error: unknown) => {
      this.#releaseAll(deliveries);
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
    const { slots, pauses, onAdmitted, onRefused } = this.#deps;
    const nowMs = performance.now();
    const refusal = this.#refusalOf(delivery, endpoint, nowMs);
    if (refusal) {
      onRefused(delivery, refusal);
    } else if (!this.#closed && slots.acquire(delivery.fairnessKey, endpoint, nowMs)) {
      pauses.started(delivery, nowMs);
      onAdmitted({ delivery, endpoint, leasedAtMs });
    } else {
      onRefused(delivery, { kind: 'release' });
    }
  }

  #refusalOf(
    delivery: Delivery,
    endpoint: EndpointSettings | undefined,
    nowMs: number,
  ): Verdict | undefined {
    const { pauses, endpoints, clock, maxUnknowns } = this.#deps;
    const refusal = findRefusal(delivery, endpoint, { nowMs: clock.now(), maxUnknowns });
    // The cached state may be out of date: the store decides, and the next claim asks again.
    if (refusal?.kind === 'hold') endpoints.forget(delivery.endpointId ?? '');
    if (refusal) return refusal;
    const waitMs = pauses.postponementMs(delivery, { nowMs, random: Math.random() });
    return waitMs > 0 ? toPostponement(delivery, waitMs, clock.now()) : undefined;
  }

  #releaseAll(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) this.#deps.onRefused(delivery, { kind: 'release' });
  }
}

/**
 * Returns the verdict for a delivery whose receiver is paused. It has a due time, so that it leaves
 * the index of what is ready: no claim brings it again before that. It ends on time if it expires.
 */
function toPostponement({ expiresAtMs }: Delivery, waitMs: number, nowMs: number): Verdict {
  const lastsMs = expiresAtMs === undefined ? waitMs : Math.min(waitMs, expiresAtMs - nowMs);
  return { kind: 'retry', delayNs: BigInt(Math.ceil(lastsMs)) * 1_000_000n };
}

/** Returns the verdict that ends or holds a delivery without an attempt, if there is one. Pure. */
export function findRefusal(
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
