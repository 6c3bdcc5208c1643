import { isDeepStrictEqual } from 'node:util';
import type { EventEnvelope } from '@posthaste/contracts';
import type { StoredRecord } from '../record.js';
import { isDeadLetterTopic } from '../rules/topic-name.js';
import { atLeast } from './consumer-settings.js';
import { Deadlines } from './deadlines.js';
import type { HandlerContext, Registration } from './registration.js';
import { maxTimerMs, type RetryPolicy, resolveRetry } from './retry-policy.js';

/** A registration with its options resolved: one callback that takes part. */
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
    // Dead letters have nowhere else to go: they stay until somebody can handle them.
    const last = isDeadLetterTopic(registration.topic);
    const retry = resolveRetry(registration.retry);
    this.retry = last
      ? { ...retry, maxAttempts: Infinity, delaysMs: [], isRetryable: () => true }
      : retry;
    this.sendErrorDlq = (registration.sendErrorDlq ?? false) && !last;
    const timeoutMs = atLeast('handlerTimeoutMs', registration.handlerTimeoutMs ?? 300_000, 1);
    this.#handlerTimeoutMs = Math.min(timeoutMs, maxTimerMs);
    this.deadlines = new Deadlines(this.#handlerTimeoutMs);
  }

  call(ctx: HandlerContext, event: EventEnvelope | null, record: StoredRecord): unknown {
    const { handler } = this.#registration;
    return handler.kind === 'event'
      ? handler.callback(ctx, event, null)
      : handler.callback(ctx, record.value, null);
  }

  /** Tells the callback that nothing more will come. What it answers does not matter. */
  notifyEnd(reason: unknown): void {
    const signal = this.#registration.signal ?? AbortSignal.abort(reason);
    const ctx = { signal, groupId: this.groupId, record: undefined, attempt: 0 };
    const { handler } = this.#registration;
    // Its failure concerns no event: the original ignores it too.
    new Promise((resolve) => resolve(handler.callback(ctx, null, reason))).catch(() => undefined);
  }

  /** Whether both can share the work of one party. */
  sharesOptionsWith(other: Subscriber): boolean {
    return (
      this.sendErrorDlq === other.sendErrorDlq &&
      this.#handlerTimeoutMs === other.#handlerTimeoutMs &&
      isDeepStrictEqual(this.#registration.retry, other.#registration.retry)
    );
  }
}

/** How a subscriber's party is written in a header of a record that failed for it. */
export function toSubscriptionName({ kind, eventName }: Subscriber): string {
  return kind === 'raw' ? `raw:${eventName}` : eventName;
}
