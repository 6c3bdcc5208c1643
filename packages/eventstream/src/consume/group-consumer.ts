import { PlatformError } from '@posthaste/contracts';
import { type Driver, offsetBeginning } from '../driver.js';
import type { TimeSlice } from '../time-slice.js';
import { findConflict, type ResolvedSettings, resolveSettings } from './consumer-settings.js';
import { DispatchTable } from './dispatch-table.js';
import type { ConsumeObserver, ConsumerName } from './observer.js';
import { type EventDecoder, RecordDispatcher, type SubscriberTables } from './record-dispatcher.js';
import type { Registration } from './registration.js';
import { Subscriber } from './subscriber.js';
import { type NoticedLoss, type PartitionStatus, TopicReader } from './topic-reader.js';
import type { RecordAppender } from './write-aside.js';

/** Everything that consumers need from outside. */
export interface ConsumeDependencies {
  readonly driver: Pick<Driver, 'subscribe'>;
  readonly appender: RecordAppender;
  readonly decode: EventDecoder;
  readonly observer: ConsumeObserver;
  /** Random source, in [0, 1). */
  readonly random: () => number;
  readonly slice: TimeSlice;
}

/** State of a consumer, for health and metrics. */
export interface ConsumerStatus extends ConsumerName {
  readonly partitions: readonly PartitionStatus[];
  /** Present failure of the stream. Undefined: none. */
  readonly interruption: unknown;
  /** Records that retention deleted unread, as far as that was noticed a short time ago. */
  readonly losses: readonly NoticedLoss[];
}

/**
 * The consumer of one topic and group: all registrations for them, the reader of the topic, and one
 * reader for each retry topic of a registration.
 */
export class GroupConsumer {
  readonly name: ConsumerName;
  readonly #dependencies: ConsumeDependencies;
  readonly #settings: ResolvedSettings;
  readonly #tables: SubscriberTables = { events: new DispatchTable(), raws: new DispatchTable() };
  readonly #subscribers = new Set<Subscriber>();
  /** By level: the topic itself, then its retry topics. */
  readonly #readers: TopicReader[] = [];
  #closing = false;

  /** @throws PlatformError `OPTION_INVALID` */
  constructor(dependencies: ConsumeDependencies, first: Registration) {
    this.#dependencies = dependencies;
    this.name = { topic: first.topic, groupId: first.groupId };
    this.#settings = resolveSettings(first);
  }

  /**
   * Adds a handler. The first one starts the consumer.
   * @throws PlatformError `OPTION_INVALID`, `EVENT_INVALID`, `EVENT_ALREADY_REGISTERED` when the
   *   same topic, event and group has a handler with other options
   */
  add(registration: Registration): Subscriber {
    const conflict = findConflict(this.#settings, registration);
    if (conflict !== undefined) {
      const { topic, groupId } = this.name;
      throw new PlatformError(
        'OPTION_INVALID',
        `${conflict} differs from an earlier registration of topic '${topic}' in group ` +
          `'${groupId}'; use the same value`,
      );
    }
    const subscriber = new Subscriber(registration);
    const table = this.#tableOf(subscriber);
    const [present] = table.find(subscriber.eventName)?.members ?? [];
    if (present && !present.sharesOptionsWith(subscriber)) {
      const { topic, eventName } = registration;
      const message = `topic and event already registered. topic: ${topic} , event: ${eventName}`;
      throw new PlatformError('EVENT_ALREADY_REGISTERED', message);
    }
    const added = this.#addReaders(subscriber.retry.delaysMs.length + 1);
    table.add(subscriber.eventName, subscriber);
    this.#subscribers.add(subscriber);
    for (const reader of added) reader.start();
    return subscriber;
  }

  /** Removes a handler. With the last one the consumer leaves the group. */
  remove(subscriber: Subscriber, reason: unknown): void {
    if (!this.#subscribers.delete(subscriber)) return;
    this.#tableOf(subscriber).remove(subscriber.eventName, subscriber);
    // First and at once, so that records that no subscriber asks for now stay unfinished.
    if (this.#subscribers.size === 0) void this.close(this.#settings.drainMs);
    this.#cancelCalls(subscriber, reason);
  }

  /**
   * Finishes the records that are being handled, within `drainMs`, commits them and leaves the
   * group. May be called again with less time.
   */
  async close(drainMs: number = this.#settings.drainMs): Promise<void> {
    this.#closing = true;
    await Promise.all(this.#readers.map((reader) => reader.close(drainMs)));
  }

  get isClosing(): boolean {
    return this.#closing;
  }

  /** Returns the state of the topic's reader, then those of its retry topics. */
  status(): readonly ConsumerStatus[] {
    return this.#readers.map((reader) => ({
      ...reader.name,
      partitions: reader.partitions,
      interruption: reader.interruption?.error,
      losses: reader.losses,
    }));
  }

  #tableOf({ kind }: Subscriber): DispatchTable<Subscriber> {
    return kind === 'raw' ? this.#tables.raws : this.#tables.events;
  }

  #cancelCalls(subscriber: Subscriber, reason: unknown): void {
    for (const reader of this.#readers) {
      for (const { calls } of reader.processors) {
        for (const call of calls) {
          if (call.subscriber === subscriber) call.cancel(reason);
        }
      }
    }
  }

  /** Adds readers up to `count`. @throws PlatformError `EVENT_INVALID` before any is added */
  #addReaders(count: number): readonly TopicReader[] {
    const added: TopicReader[] = [];
    for (let level = this.#readers.length; level < count; level += 1) {
      added.push(this.#createReader(level));
    }
    this.#readers.push(...added);
    return added;
  }

  #createReader(level: number): TopicReader {
    const { driver, observer, slice } = this.#dependencies;
    const dispatcher = new RecordDispatcher({
      ...this.#dependencies,
      tables: this.#tables,
      origin: this.name,
      level,
    });
    return new TopicReader({
      driver,
      observer,
      slice,
      name: dispatcher.consumer,
      // All records of a retry topic are wanted, from the first one on.
      settings: level === 0 ? this.#settings : { ...this.#settings, startOffset: offsetBeginning },
      handle: (record, processor) => dispatcher.handle(record, processor),
    });
  }
}
