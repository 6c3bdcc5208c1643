import { type EventEnvelope, PlatformError } from '@posthaste/contracts';
import type { RegisteredCallback } from '../consume/consumers.js';
import type { EventCallback } from '../consume/registration.js';
import type { StoredRecord } from '../record.js';

/** An event that a loop has received, until the loop acknowledges or refuses it. */
export interface ReceivedEvent<Payload extends object = object> {
  readonly event: EventEnvelope<Payload>;
  readonly record: StoredRecord;
  /** Number of times that the loop got this event, from 1, retry topics included. */
  readonly attempt: number;
  /** Aborted when the work must end. `ack` and `nack` have no effect after that. */
  readonly signal: AbortSignal;
  /** Acknowledges the event: its offset may be committed. */
  ack(): void;
  /**
   * Refuses the event: it is tried again by the retry policy, and finally becomes a dead letter.
   */
  nack(error?: unknown): void;
}

interface OpenEvent extends ReceivedEvent {
  /** Leaves the event without an outcome: it stays uncommitted. */
  release(): void;
}

/** The functions that settle the promise of a handler. */
interface Settlement {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Events for a `for await` loop. It has as many at a time as the consumer handles at once: the next
 * event of a partition comes when the one before is acknowledged or refused. Leaving the loop ends
 * the subscription; events without an outcome are not committed.
 */
export class EventIterator implements AsyncIterableIterator<ReceivedEvent> {
  /** Events that the loop did not take yet. */
  readonly #waiting: OpenEvent[] = [];
  /** Events that the loop has taken and that have no outcome. */
  readonly #open = new Set<OpenEvent>();
  readonly #readers: ((result: IteratorResult<ReceivedEvent>) => void)[] = [];
  readonly #onEnd: (iterator: EventIterator) => void;
  #registered: RegisteredCallback | undefined;
  #ended = false;

  /** @param onEnd called once, when no more events come */
  constructor(onEnd: (iterator: EventIterator) => void) {
    this.#onEnd = onEnd;
  }

  /** Handler to register. */
  readonly callback: EventCallback = ({ record, attempt, signal }, event) => {
    if (event === null || record === undefined) return void this.end();
    return new Promise<void>((resolve, reject) => {
      this.#deliver(this.#toOpenEvent({ event, record, attempt, signal }, { resolve, reject }));
    });
  };

  /** Sets the registration, which ends together with the loop. */
  attach(registered: RegisteredCallback): void {
    this.#registered = registered;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<ReceivedEvent>> {
    const received = this.#waiting.shift();
    if (received !== undefined) {
      this.#open.add(received);
      return { done: false, value: received };
    }
    if (this.#ended) return { done: true, value: undefined };
    return new Promise((resolve) => {
      this.#readers.push(resolve);
    });
  }

  /** Ends the subscription, because the loop was left. Resolves when the consumer has left. */
  async return(): Promise<IteratorResult<ReceivedEvent>> {
    const left = this.end();
    for (const received of this.#open) received.release();
    await left;
    return { done: true, value: undefined };
  }

  /** Delivers no more events. Events that the loop has taken may still be acknowledged. */
  async end(): Promise<void> {
    if (!this.#ended) {
      this.#ended = true;
      this.#onEnd(this);
      for (const read of this.#readers.splice(0)) read({ done: true, value: undefined });
    }
    const closed = this.#registered?.close();
    for (const received of this.#waiting.splice(0)) received.release();
    await closed;
  }

  #deliver(received: OpenEvent): void {
    const read = this.#readers.shift();
    if (this.#ended) {
      received.release();
    } else if (read === undefined) {
      this.#waiting.push(received);
    } else {
      this.#open.add(received);
      read({ done: false, value: received });
    }
  }

  #toOpenEvent(
    received: Omit<ReceivedEvent, 'ack' | 'nack'>,
    { resolve, reject }: Settlement,
  ): OpenEvent {
    const { signal } = received;
    const close = (): void => {
      this.#open.delete(open);
      signal.removeEventListener('abort', withdraw);
    };
    /** Its time is over, or the partition is lost: the loop must not get it any more. */
    const withdraw = (): void => {
      const at = this.#waiting.indexOf(open);
      if (at === -1) return;
      this.#waiting.splice(at, 1);
      reject(signal.reason);
    };
    const open: OpenEvent = {
      ...received,
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
        // Not before the abort: only after it a rejection is no failure, but an unfinished record.
        if (signal.aborted) reject(signal.reason);
        else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      },
    };
    signal.addEventListener('abort', withdraw, { once: true });
    return open;
  }
}
