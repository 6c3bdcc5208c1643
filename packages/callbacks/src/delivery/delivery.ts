import type { RetryPolicy } from '../retry/retry-policy.js';

/**
 * What a worker holds after a claim: one callback to be attempted, and the lease it is held by.
 *
 * States of a callback (`CallbackState`): it is `waiting` behind its queue's head, `pending` when it
 * is due now or later, `leased` while a worker holds it, `held` while something stops it (its queue
 * is paused or parked, its endpoint paused or disabled), and ends as `delivered`, `failed`,
 * `expired` or `cancelled`. A replay takes it from an ending back to `pending`.
 */
export interface Delivery {
  readonly callbackId: string;
  readonly leaseToken: string;
  /** Whether it is the head of an ordered queue, whose next callback may follow under the lease. */
  readonly ordered: boolean;
  readonly application: string;
  readonly queue: string | undefined;
  readonly endpointId: string | undefined;
  /** How many of its queue were delivered before it under the same lease. */
  readonly place: number;
  /** Key of its lane, see lane.ts. */
  readonly fairnessKey: string;
  /** Failed attempts so far that count against the policy. */
  readonly failures: number;
  /** Attempts so far whose outcome nobody knows, because their worker vanished. */
  readonly unknowns: number;
  /** Somebody cancelled it while a worker held it that then vanished: it is not sent again. */
  readonly cancelled: boolean;
  /** How far it is from a callback that was not made for an event about another: see echo.ts. */
  readonly echo: number;
  readonly request: DeliveryRequest;
  /** Length of a body that is read when it is sent, in place of `request.body`; else absent. */
  readonly largeBodyBytes: number | undefined;
  /** Milliseconds since 1970, by the database's clock. */
  readonly createdAtMs: number;
  readonly expiresAtMs: number | undefined;
}

/** The HTTP request to be made. */
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

export type Ending = 'delivered' | 'failed' | 'expired' | 'cancelled';

export type CallbackState = 'waiting' | 'pending' | 'leased' | 'held' | Ending;

/** What stops a callback: its queue is paused, its queue is parked, its endpoint takes nothing. */
export type Hold = 'paused' | 'parked' | 'endpoint';

/** Why an attempt failed. */
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

/** One request made for a callback, with its outcome. */
export interface Attempt {
  /** By the database's clock, in milliseconds since 1970. */
  readonly startedAtMs: number;
  readonly durationNs: bigint;
  /** 0 when there was no answer. */
  readonly statusCode: number;
  /** Absent on success. */
  readonly reason: FailureReason | undefined;
  /** A line for people. */
  readonly detail: string | undefined;
  readonly responseHeaders: readonly (readonly [string, string])[] | undefined;
  readonly responseBody: Buffer | undefined;
  /** The answer's body was longer than what is kept. */
  readonly truncated: boolean;
  /** The answer's body ended before its end. */
  readonly cut: boolean;
  /** A kept-alive connection turned out dead and the request was sent again at once. */
  readonly resent: boolean;
}

/** What becomes of a delivery after a lease. */
export type Verdict =
  | { readonly kind: 'ended'; readonly ending: Ending }
  /** Counts against the policy when there was an attempt. */
  | { readonly kind: 'retry'; readonly delayNs: bigint }
  /** Nothing was sent; it is due again at once, for whichever worker. */
  | { readonly kind: 'release' }
  /** Nothing was sent, and nothing will be until its endpoint is active again. */
  | { readonly kind: 'hold' };

/** What a worker reports about one delivery it holds. */
export interface DeliveryResult {
  readonly delivery: Delivery;
  readonly attempt: Attempt | undefined;
  readonly verdict: Verdict;
  /** Whether the worker goes on with the queue's next callback under the same lease. */
  readonly chain: boolean;
}
