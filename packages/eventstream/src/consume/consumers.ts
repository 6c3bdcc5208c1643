import { PlatformError } from '@posthaste/contracts';
import { TimeSlice } from '../time-slice.js';
import { type ConsumeDependencies, type ConsumerStatus, GroupConsumer } from './group-consumer.js';
import { type ConsumeObserver, silentObserver } from './observer.js';
import type { EventDecoder } from './record-dispatcher.js';
import type { Registration } from './registration.js';
import { Subscriber } from './subscriber.js';
import type { RecordAppender } from './write-aside.js';

/** Options of a client's consumers. */
export interface ConsumersOptions {
  readonly driver: ConsumeDependencies['driver'];
  /** Writes to dead letter and retry topics. */
  readonly appender: RecordAppender;
  readonly decode: EventDecoder;
  /** Default: an observer that does nothing. */
  readonly observer?: ConsumeObserver | undefined;
  /** Random source for the jitter of waits, in [0, 1). Default `Math.random`. */
  readonly random?: (() => number) | undefined;
}

/** A handler that was registered. */
export interface RegisteredCallback {
  /**
   * Ends the registration. For the last handler of a topic and group it resolves when the consumer
   * has finished the records in hand, committed them and left; for others at once. Idempotent.
   */
  close(): Promise<void>;
}

/** All consumers of a client: one per topic and group, whatever the number of handlers. */
export class Consumers {
  readonly #dependencies: ConsumeDependencies;
  /** By topic and group. */
  readonly #consumers = new Map<string, GroupConsumer>();
  /** Consumers without handlers, which finish the records in hand. */
  readonly #leaving = new Set<GroupConsumer>();
  /** Functions that remove this client's listeners from signals, which may outlive the client. */
  readonly #unlisteners = new Set<() => void>();
  #closing: Promise<void> | undefined;

  constructor({ driver, appender, decode, observer, random }: ConsumersOptions) {
    this.#dependencies = {
      driver,
      appender,
      decode,
      observer: observer ?? silentObserver,
      random: random ?? Math.random,
      slice: new TimeSlice(),
    };
  }

  /**
   * Registers a handler. The consumer joins the group in the background.
   * @throws PlatformError `STREAM_CLOSED`, `OPTION_INVALID`, `EVENT_INVALID`,
   *   `EVENT_ALREADY_REGISTERED`
   */
  register(registration: Registration): RegisteredCallback {
    if (this.#closing) throw new PlatformError('STREAM_CLOSED', 'the client is closed');
    const { topic, groupId, signal } = registration;
    if (signal?.aborted) {
      new Subscriber(registration).notifyEnd(signal.reason);
      return { close: () => Promise.resolve() };
    }
    // Names contain no line break.
    const key = `${topic}\n${groupId}`;
    const consumer =
      this.#consumers.get(key) ?? new GroupConsumer(this.#dependencies, registration);
    const subscriber = consumer.add(registration);
    this.#consumers.set(key, consumer);
    let ended: Promise<void> | undefined;
    const end = (reason: unknown): Promise<void> => {
      unlisten();
      ended ??= this.#remove(key, consumer, () => consumer.remove(subscriber, reason));
      return ended;
    };
    const onAbort = (): void => {
      if (!ended) subscriber.notifyEnd(signal?.reason);
      void end(signal?.reason);
    };
    const unlisten = (): void => {
      signal?.removeEventListener('abort', onAbort);
      this.#unlisteners.delete(unlisten);
    };
    this.#unlisteners.add(unlisten);
    signal?.addEventListener('abort', onAbort, { once: true });
    return { close: () => end(new PlatformError('STREAM_CLOSED', 'the subscription is closed')) };
  }

  /**
   * Finishes the records that are being handled, within `drainMs` (default: that of each consumer),
   * commits them and leaves every group. Idempotent.
   */
  close(options: { readonly drainMs?: number | undefined } = {}): Promise<void> {
    this.#closing ??= this.#close(options.drainMs);
    return this.#closing;
  }

  status(): readonly ConsumerStatus[] {
    return [...this.#consumers.values()].flatMap((consumer) => consumer.status());
  }

  async #close(drainMs: number | undefined): Promise<void> {
    for (const unlisten of this.#unlisteners) unlisten();
    const consumers = [...this.#consumers.values(), ...this.#leaving];
    await Promise.all(consumers.map((consumer) => consumer.close(drainMs)));
    this.#consumers.clear();
  }

  /** Removes a handler. A consumer that leaves is removed: a new registration gets another one. */
  async #remove(key: string, consumer: GroupConsumer, remove: () => void): Promise<void> {
    remove();
    if (!consumer.isClosing) return;
    if (this.#consumers.get(key) === consumer) this.#consumers.delete(key);
    this.#leaving.add(consumer);
    await consumer.close();
    this.#leaving.delete(consumer);
  }
}
