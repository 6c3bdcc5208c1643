/** What the receiver's process and its parent tell each other over IPC. */

/** Paths and what happens there; every other path is answered 200. */
export const receiverPaths = {
  /** Answered 200. */
  deliver: '/',
  /** Answered 200; `/ordered/<queue>/<sequence>` (both decimal) is checked for order. */
  ordered: '/ordered/',
  /** Answered 503. */
  unavailable: '/unavailable',
  /** Never answered; the socket stays open. */
  hang: '/hang',
} as const;

/** Header with the moment of sending, in decimal nanoseconds of `process.hrtime.bigint()`. */
export const sentAtHeader = 'x-bench-sent-at';

/** Everything counted since the last `reset`. */
export interface ReceiverCounts {
  /** Requests answered 200. */
  readonly delivered: number;
  readonly unavailable: number;
  readonly hanging: number;
  /** Ordered requests whose sequence was not one more than the last of their queue. */
  readonly orderViolations: number;
}

export type ReceiverCommand =
  /** Zeroes the counts. With `latencies`, `sentAtHeader` is read from every request. */
  | { readonly type: 'reset'; readonly latencies: boolean }
  /** Asks for one `reached` as soon as `delivered` is at least `count`. */
  | { readonly type: 'watch'; readonly count: number }
  | { readonly type: 'counts' }
  | { readonly type: 'latencies' };

export type ReceiverReport =
  /** Two origins, such as `http://127.0.0.1:4001`, on different hosts. */
  | { readonly type: 'listening'; readonly origin: string; readonly otherOrigin: string }
  | { readonly type: 'reset' }
  /** `atNs`: `process.hrtime.bigint()` when the count was reached. */
  | { readonly type: 'reached'; readonly count: number; readonly atNs: bigint }
  | { readonly type: 'counts'; readonly counts: ReceiverCounts }
  /** From `sentAtHeader` to arrival, in order of arrival. */
  | { readonly type: 'latencies'; readonly latenciesMs: readonly number[] };
