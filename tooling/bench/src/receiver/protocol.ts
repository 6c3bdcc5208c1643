/** Messages between the process of the receiver and its parent over IPC. */

/** Paths with their responses. The response to every other path is 200. */
export const receiverPaths = {
  /** Response 200. */
  deliver: '/',
  /** Response 200; the order of `/ordered/<queue>/<sequence>` (both decimal) is checked. */
  ordered: '/ordered/',
  /** Response 503. */
  unavailable: '/unavailable',
  /** No response; the socket stays open. */
  hang: '/hang',
} as const;

/** Header with the moment of sending, in decimal nanoseconds of `process.hrtime.bigint()`. */
export const sentAtHeader = 'x-bench-sent-at';

/** Counts since the last `reset`. */
export interface ReceiverCounts {
  /** Requests with the response 200. */
  readonly delivered: number;
  readonly unavailable: number;
  readonly hanging: number;
  /** Ordered requests whose sequence did not follow the last one of their queue. */
  readonly orderViolations: number;
}

/** Message to the receiver. */
export type ReceiverCommand =
  /** Resets the counts. With `latencies`, `sentAtHeader` is read from every request. */
  | { readonly type: 'reset'; readonly latencies: boolean }
  /** Requests one `reached` as soon as `delivered` is at least `count`. */
  | { readonly type: 'watch'; readonly count: number }
  | { readonly type: 'counts' }
  | { readonly type: 'latencies' };

/** Message from the receiver. */
export type ReceiverReport =
  /** Two origins on different hosts, for example `http://127.0.0.1:4001`. */
  | { readonly type: 'listening'; readonly origin: string; readonly otherOrigin: string }
  | { readonly type: 'reset' }
  /** `atNs`: `process.hrtime.bigint()` when the count was reached. */
  | { readonly type: 'reached'; readonly count: number; readonly atNs: bigint }
  | { readonly type: 'counts'; readonly counts: ReceiverCounts }
  /** From `sentAtHeader` to arrival, in order of arrival. */
  | { readonly type: 'latencies'; readonly latenciesMs: readonly number[] };
