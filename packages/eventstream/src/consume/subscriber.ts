import { isDeepStrictEqual } from 'node:util';
import type { EventEnvelope } from '@posthaste/contracts';
import type { StoredRecord } from '../record.js';
import { isDeadLetterTopic } from '../rules/topic-name.js';
import { atLeast } from './consumer-settings.js';
import { Deadlines } from './deadlines.js';
import type { HandlerContext, Registration } from './registration.js';
import { maxTimerMs, type RetryPolicy, resolveRetry } from './retry-policy.js';

/** A registration with its options resolved. */
export class Subscriber {
  readonly groupId: string;
  readonly eventName: string;
  readonly kind: 'event' | 'raw';
  readonly retry: RetryPolicy;
  readonly sendErrorDlq: boolean;
  readonly deadlines: Deadlines;
  readonly #registration: Registration;
  readonly #handlerTimeoutMs: number;

  /** @throws PlatformError `OPTION_INVALID` */
  constructor(registration: Registration) {
    this.#registration = registration;
    this.groupId = registration.groupId;
    this.eventName = registration.eventName;
    this.kind = registration.handler.kind;
    // Dead letters cannot move to another topic: they stay until they can be handled.
    const isLastTopic = isDeadLetterTopic(registration.topic);
    const retry = resolveRetry(registration.retry);
    this.retry = isLastTopic
      ? { ...retry, maxAttempts: Infinity, delaysMs: [], isRetryable: () => true }
      : retry;
    this.sendErrorDlq = (registration.sendErrorDlq ?? false) && !isLastTopic;
    const timeoutMs = atLeast('handlerTimeoutMs', registration.handlerTimeoutMs ?? 300_000, 1);
    this.#handlerTimeoutMs = Math.min(timeoutMs, maxTimerMs);
    this.deadlines = new Deadlines(this.#handlerTimeoutMs);
  }

  /** Calls the handler and returns its answer. */
  call(ctx: HandlerContext, event: EventEnvelope | null, record: StoredRecord): unknown {
    const { handler } = this.#registration;
    return handler.kind === 'event'
      ? handler.callback(ctx, event, null)
      : handler.callback(ctx, record.value, null);
  }

  /** Notifies the handler that there are no more events. Its result is ignored. */
  notifyEnd(reason: unknown): void {
    const signal = this.#registration.signal ?? AbortSignal.abort(reason);
    const ctx = { signal, groupId: this.groupId, record: undefined, attempt: 0 };
    const { handler } = this.#registration;
    // A failure here concerns no event: the Go SDK ignores it too.
    new Promise((resolve) => resolve(handler.callback(ctx, null, reason))).catch(() => undefined);
  }

  /** True if both can be members of one subscriber group. */
  sharesOptionsWith(other: Subscriber): boolean {
    return (
      this.sendErrorDlq === other.sendErrorDlq &&
      this.#handlerTimeoutMs === other.#handlerTimeoutMs &&
      isDeepStrictEqual(this.#registration.retry, other.#registration.retry)
    );
  }
}

/** Returns the text for a subscriber's group in the headers of a record that failed there. */
export function toSubscriptionName({ kind, eventName }: Subscriber): string {
  return kind === 'raw' ? `raw:${eventName}` : eventName;
}
