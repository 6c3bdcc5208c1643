import { type EventEnvelope, PlatformError } from '@posthaste/contracts';
import type { RegisteredCallback } from '../consume/consumers.js';
import type { EventCallback, HandlerContext } from '../consume/registration.js';
import type { StoredRecord } from '../record.js';

/** An event that a loop has in hand until it says what became of it. */
export interface ReceivedEvent<Payload extends object = object> {
  readonly event: EventEnvelope<Payload>;
  readonly record: StoredRecord;
  /** 1 at the first time, tries on retry topics included. */
  readonly attempt: number;
  /** Aborted when the work must end; what is said afterwards counts no more. */
  readonly signal: AbortSignal;
  /** It is handled: its offset may be committed. */
  ack(): void;
  /** It is not: it is tried again by the retry policy, and in the end a dead letter. */
  nack(error?: unknown): void;
}

interface OpenEvent extends ReceivedEvent {
  /** Lets go of it without saying anything: it stays unfinished. */
  release(): void;
}

/**
 * Events for a loop, as many at a time as the consumer handles at once: the next one of a partition
 * comes when the last one is acknowledged, or failed. Leaving the loop ends the subscription; what
 * is open then is not committed.
 */
export class EventIterator implements AsyncIterableIterator<ReceivedEvent> {
  /** Not handed to the loop yet. */
  readonly #waiting: OpenEvent[] = [];
  /** Handed to the loop and without an outcome. */
  readonly #open = new Set<OpenEvent>();
  readonly #readers: ((result: IteratorResult<ReceivedEvent>) => void)[] = [];
  readonly #onEnd: (deliveries: EventIterator) => void;
  #registered: RegisteredCallback | undefined;
  #ended = false;

  /** @param onEnd called once, when nothing more comes */
  constructor(onEnd: (deliveries: EventIterator) => void) {
    this.#onEnd = onEnd;
  }

  /** The callback to register. */
  readonly callback: EventCallback = (ctx, event) => {
    const { record } = ctx;
    if (event === null || record === undefined) return void this.end();
    return new Promise<void>((resolve, reject) => {
      this.#take(this.#toDelivery(ctx, event, record, resolve, reject));
    });
  };

  /** What ends it when the loop does. */
  attach(registered: RegisteredCallback): void {
    this.#registered = registered;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<ReceivedEvent>> {
    const delivery = this.#waiting.shift();
    if (delivery !== undefined) {
      this.#open.add(delivery);
      return { done: false, value: delivery };
    }
    if (this.#ended) return { done: true, value: undefined };
    return new Promise((resolve) => {
      this.#readers.push(resolve);
    });
  }

  /** Called when the loop is left. Resolves when the consumer has committed and gone. */
  async return(): Promise<IteratorResult<ReceivedEvent>> {
    const left = this.end();
    for (const delivery of this.#open) delivery.release();
    await left;
    return { done: true, value: undefined };
  }

  /** Nothing more comes; what the loop has in hand may still be acknowledged. */
  async end(): Promise<void> {
    if (!this.#ended) {
      this.#ended = true;
      this.#onEnd(this);
      for (const read of this.#readers.splice(0)) read({ done: true, value: undefined });
    }
    const closed = this.#registered?.close();
    for (const delivery of this.#waiting.splice(0)) delivery.release();
    await closed;
  }

  #take(delivery: OpenEvent): void {
    const read = this.#readers.shift();
    if (this.#ended) {
      delivery.release();
    } else if (read === undefined) {
      this.#waiting.push(delivery);
    } else {
      this.#open.add(delivery);
      read({ done: false, value: delivery });
    }
  }

  #toDelivery(
    { signal, attempt }: HandlerContext,
    event: EventEnvelope,
    record: StoredRecord,
    resolve: () => void,
    reject: (error: unknown) => void,
  ): OpenEvent {
    const close = (): void => {
      this.#open.delete(delivery);
      signal.removeEventListener('abort', forget);
    };
    /** Its time is over, or its partition went: the loop must not even see it. */
    const forget = (): void => {
      const at = this.#waiting.indexOf(delivery);
      if (at === -1) return;
      this.#waiting.splice(at, 1);
      reject(signal.reason);
    };
    const delivery: OpenEvent = {
      event,
      record,
      attempt,
      signal,
      ack: () => {
        close();
        resolve();
      },
      nack: (error) => {
        close();
        reject(error ?? new PlatformError('EVENT_INVALID', 'the consumer refused the event'));
      },
      release: () => {
        close();
        // Not before the signal: only then it is no failure, but a record that is not finished.
        if (signal.aborted) reject(signal.reason);
        else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      },
    };
    signal.addEventListener('abort', forget, { once: true });
    return delivery;
  }
}
