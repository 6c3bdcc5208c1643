import type { EventEnvelope } from '@posthaste/contracts';
import type { StoredRecord } from '../record.js';
import type { RetryOptions } from './retry-policy.js';

/** Context of a handler's call. */
export interface HandlerContext {
  /**
   * Aborted when the work must end: its time is over, the partition goes to another consumer, or
   * the subscription ends. The result of the handler does not count after that.
   */
  readonly signal: AbortSignal;
  /** As on the wire, with its prefix. */
  readonly groupId: string;
  /** The record as it is in the stream. Undefined in the call that reports the end. */
  readonly record: StoredRecord | undefined;
  /** Number of the call for this event, from 1, retry topics included. 0 in the call at the end. */
  readonly attempt: number;
}

/**
 * Handler of one event. The value that it returns, or resolves to, is ignored. When it throws or
 * rejects, the event is tried again. When the signal of the registration is aborted, it is called
 * once more, with null and the signal's reason, to report the end.
 */
export type EventCallback = (
  ctx: HandlerContext,
  event: EventEnvelope | null,
  error: unknown,
) => unknown;

/**
 * Like `EventCallback`, but for the bytes of one record. The value of a record may also be null.
 */
export type RawCallback = (ctx: HandlerContext, value: Buffer | null, error: unknown) => unknown;

/** Settings of a consumer, the same for all registrations of one topic and group. */
export interface ConsumerSettings {
  /** Instance id of a static member, named as the group is. Default: a dynamic member. */
  readonly groupInstanceId?: string | undefined;
  /** Start of a partition without a committed offset. Default `offsetEnd`. */
  readonly startOffset?: bigint | undefined;
  /**
   * `batched`: offsets are committed at most every `commitIntervalMs`; `each`: before the next
   * record of the partition (or key) is handled. Default `batched`.
   */
  readonly commit?: 'batched' | 'each' | undefined;
  /** Longest time until a batched commit, in ms. Default 250. */
  readonly commitIntervalMs?: number | undefined;
  /** Number of records of one partition that are handled at the same time. Default 1. */
  readonly concurrency?: number | undefined;
  /**
   * Order that is kept while several records are handled. `key`: that of the records of one key;
   * `none`: no order. Records without a key are independent of one another. Default `key`.
   */
  readonly ordering?: 'key' | 'none' | undefined;
  /**
   * Number of unfinished records of one partition from which no more are read from the stream. A
   * fetched batch is always accepted as a whole. Default 1,000.
   */
  readonly maxInHand?: number | undefined;
  /** Time to finish received records when a partition is revoked, in ms. Default 20,000. */
  readonly drainMs?: number | undefined;
}

/** A handler for the events of one name, in one topic and group. */
export interface Registration extends ConsumerSettings {
  /** As on the wire, with its prefix. */
  readonly topic: string;
  /** As on the wire, with its prefix. */
  readonly groupId: string;
  /** Empty: all events. */
  readonly eventName: string;
  readonly handler: RegistrationHandler;
  /** True if unreadable records go to the dead letters. Default false: they are only counted. */
  readonly sendErrorDlq?: boolean | undefined;
  readonly retry?: RetryOptions | undefined;
  /** Longest time of one call, in ms; after that it counts as failed. Default 300,000. */
  readonly handlerTimeoutMs?: number | undefined;
  /** Aborting it ends the registration; the handler is then called once more, with null. */
  readonly signal?: AbortSignal | undefined;
}

/** Handler of a registration, for events or for raw bytes. */
export type RegistrationHandler =
  | { readonly kind: 'event'; readonly callback: EventCallback }
  | { readonly kind: 'raw'; readonly callback: RawCallback };
