import type { RetryPolicy } from '../retry/retry-policy.js';

/**
 * A callback that a worker has leased, with the lease that fences its result.
 *
 * States of a callback (`CallbackState`):
 * - `waiting`: behind the head of its queue.
 * - `pending`: due now or at a later time.
 * - `leased`: a worker holds it.
 * - `held`: something stops it (see {@link Hold}).
 * - `delivered`, `failed`, `expired`, `cancelled`: it has ended. A replay takes it back to
 *   `pending`.
 */
export interface Delivery {
  readonly callbackId: string;
  readonly leaseToken: string;
  /**
   * True if it is the head of an ordered queue: the queue's next callback may follow under the
   * lease.
   */
  readonly ordered: boolean;
  readonly application: string;
  readonly queue: string | undefined;
  readonly endpointId: string | undefined;
  /** Callbacks of its queue that ended before it under the same lease; 0 for the first. */
  readonly leaseIndex: number;
  /** Text form of a {@link FairnessKey}, see fairness-key.ts. */
  readonly fairnessKey: string;
  /** Failed attempts so far that count against the policy. */
  readonly failures: number;
  /** Attempts so far of unknown outcome: their worker stopped without releasing its lease. */
  readonly unknowns: number;
  /**
   * True if it was cancelled under the lease of a worker that then stopped without releasing the
   * lease: it is not sent again.
   */
  readonly cancelled: boolean;
  /**
   * 0 for an ordinary callback; more if a delivery, or an event about a callback, led to it:
   * loop-guard.ts.
   */
  readonly echo: number;
  readonly request: DeliveryRequest;
  /**
   * Length in bytes of a large body. Such a body is not in `request.body`: it is read right before
   * it is sent (large-bodies.ts). Absent for any other.
   */
  readonly largeBodyBytes: number | undefined;
  /** Milliseconds since 1970, by the database's clock. */
  readonly createdAtMs: number;
  /** Milliseconds since 1970, by the database's clock. */
  readonly expiresAtMs: number | undefined;
}

/** HTTP request of a callback, as its caller gave it. */
export interface DeliveryRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>> | undefined;
  readonly body: Buffer | undefined;
  readonly policy: RetryPolicy;
  /** Total time of one attempt, in milliseconds. */
  readonly timeoutMs: number;
  /** Name of the application's secret that signs it. */
  readonly secret: string | undefined;
  readonly notificationEmail: string | undefined;
}

/** State of a callback that has ended. */
export type Ending = 'delivered' | 'failed' | 'expired' | 'cancelled';

/** State of a callback, see {@link Delivery}. */
export type CallbackState = 'waiting' | 'pending' | 'leased' | 'held' | Ending;

/** Reason why a callback is held: its queue is paused or parked, or its endpoint is not active. */
export type Hold = 'paused' | 'parked' | 'endpoint';

/** Reason why an attempt failed. */
export type FailureReason =
  | 'dns'
  | 'refused'
  | 'reset'
  | 'tls'
  | 'timeout'
  | 'blocked'
  | 'too_large'
  | 'protocol'
  | 'status'
  | 'unknown';

/** One HTTP request made for a callback, with its outcome. */
export interface Attempt {
  /** By the database's clock, in milliseconds since 1970. */
  readonly startedAtMs: number;
  readonly durationNs: bigint;
  /** 0 when there was no answer. */
  readonly statusCode: number;
  /** Absent on success. */
  readonly reason: FailureReason | undefined;
  /** Description of the failure, in one line; absent on success. */
  readonly detail: string | undefined;
  readonly responseHeaders: readonly (readonly [string, string])[] | undefined;
  readonly responseBody: Buffer | undefined;
  /** True if the answer's body was longer than `maxResponseBytes`: the rest is not kept. */
  readonly truncated: boolean;
  /** True if the connection ended before the answer's body did. */
  readonly cut: boolean;
  /** True if a kept-alive connection turned out dead and the request was sent again at once. */
  readonly resent: boolean;
}

/** Decision about a delivery at the end of its lease. */
export type Verdict =
  | {
      readonly kind: 'ended';
      readonly ending: Ending;
      /**
       * True if the endpoint's receiver is gone permanently: the endpoint is disabled with this
       * result.
       */
      readonly endpointGone?: true;
    }
  | {
      /** Due again after the delay. Counts against the policy when there was an attempt. */
      readonly kind: 'retry';
      readonly delayNs: bigint;
      /** Reason why nothing was sent, for people. Only without an attempt. */
      readonly note?: string;
    }
  /** Nothing was sent: due again at once, for any worker. */
  | { readonly kind: 'release' }
  /** Nothing was sent, and nothing will be until its endpoint is active again. */
  | { readonly kind: 'hold' };

/** Result of a delivery, as its worker records it. */
export interface DeliveryResult {
  readonly delivery: Delivery;
  /** Absent when nothing was sent. */
  readonly attempt: Attempt | undefined;
  readonly verdict: Verdict;
  /** True if the worker wants the queue's next callback under the same lease. */
  readonly keepLease: boolean;
}
