import type { EventEnvelope } from '@posthaste/contracts';
import type { StoredRecord } from '../record.js';
import type { RetryOptions } from './retry-policy.js';

/** What a callback gets beside the event. */
export interface HandlerContext {
  /**
   * Aborted when the work must end: its time is over, the partition goes to another consumer, or
   * the subscription ends. What the callback does after that counts no more.
   */
  readonly signal: AbortSignal;
  /** As on the wire, with its prefix. */
  readonly groupId: string;
  /** The record as it is in the stream; undefined when the callback is told of the end. */
  readonly record: StoredRecord | undefined;
  /** 1 at the first time, tries on retry topics included; 0 when the callback is told of the end. */
  readonly attempt: number;
}

/**
 * Handles one event: what it returns, or resolves to, does not matter; when it throws, or rejects,
 * the event is tried again. When the signal of the registration is aborted it is called once more, with
 * null and the signal's reason.
 */
export type EventCallback = (
  ctx: HandlerContext,
  event: EventEnvelope | null,
  error: unknown,
) => unknown;

/** The same for the bytes of a record. `value` is also null for a record without one. */
export type RawCallback = (ctx: HandlerContext, value: Buffer | null, error: unknown) => unknown;

/** How a consumer works; the same for all that share one topic and group. */
export interface ConsumerSettings {
  /** Static membership. Default: none. */
  readonly groupInstanceId?: string | undefined;
  /** Where a partition without a committed offset begins. Default `offsetEnd`. */
  readonly startOffset?: bigint | undefined;
  /**
   * `batched`: offsets are stored at most every `commitIntervalMs`; `each`: before the next record
   * of the partition (or key) is handled. Default `batched`.
   */
  readonly commit?: 'batched' | 'each' | undefined;
  /** In milliseconds. Default 250. */
  readonly commitIntervalMs?: number | undefined;
  /** Records of one partition handled at the same time. Default 1: one after another. */
  readonly concurrency?: number | undefined;
  /**
   * What stays in order while several are handled: `key`: records of one key; `none`: nothing.
   * Records without a key are independent of one another. Default `key`.
   */
  readonly ordering?: 'key' | 'none' | undefined;
  /**
   * Records of one partition in hand, before the stream is told to wait; what a fetch brought is
   * taken whole. Default 1,000.
   */
  readonly maxInHand?: number | undefined;
  /** Time to finish what is being handled when a partition is revoked, in ms. Default 20,000. */
  readonly drainMs?: number | undefined;
}

/** One callback for the events of one name, in one topic and group. */
export interface Registration extends ConsumerSettings {
  /** As on the wire, with its prefix. */
  readonly topic: string;
  /** As on the wire, with its prefix. */
  readonly groupId: string;
  /** Empty: all events. */
  readonly eventName: string;
  readonly handler: RegistrationHandler;
  /** Whether records that cannot be read go to the dead letters; else they are only counted. */
  readonly sendErrorDlq?: boolean | undefined;
  readonly retry?: RetryOptions | undefined;
  /** Time of one call, in milliseconds; then it counts as failed. Default 300,000. */
  readonly handlerTimeoutMs?: number | undefined;
  /** Aborting it ends the registration; the callback is told once. */
  readonly signal?: AbortSignal | undefined;
}

export type RegistrationHandler =
  | { readonly kind: 'event'; readonly callback: EventCallback }
  | { readonly kind: 'raw'; readonly callback: RawCallback };
