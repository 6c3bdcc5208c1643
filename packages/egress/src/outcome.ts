import type { Failure } from './failure.js';

/** Result of one request. `send` resolves to it and never rejects. */
export type EgressOutcome = EgressResponse | EgressFailure;

/** A response whose head arrived, whatever its status: a redirect is one as well. */
export interface EgressResponse {
  readonly kind: 'response';
  readonly statusCode: number;
  /** Headers in the order of first appearance: names in lower case, one entry per value. */
  readonly headers: [name: string, value: string][];
  /** Body as it was received: nothing is decompressed. */
  readonly body: Buffer;
  /** True if the body was longer than `maxResponseBytes`; `body` is its beginning. */
  readonly truncated: boolean;
  /**
   * True if the body ended early, or the deadline passed before its end; `body` is the part that
   * arrived.
   */
  readonly cut: boolean;
  /**
   * True if the request was sent twice, because a reused connection was reset before the first byte
   * of the response.
   */
  readonly resent: boolean;
  readonly durationNs: bigint;
}

/** A request that got no response. */
export interface EgressFailure extends Failure {
  readonly kind: 'failure';
  /** As in `EgressResponse`. */
  readonly resent: boolean;
  readonly durationNs: bigint;
}
