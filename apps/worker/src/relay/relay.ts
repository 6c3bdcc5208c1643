import type { PlatformError } from '@posthaste/contracts';
import {
  createPostgresDriver,
  type Driver,
  isDeadLetterTopic,
  isRetryTopic,
  type PostgresLog,
  toWireTopic,
} from '@posthaste/eventstream';
import { toRelayError } from './relay-error.js';
import type { RelayObserver } from './relay-observer.js';
import { TopicRelay } from './topic-relay.js';

export interface RelayOptions {
  readonly log: PostgresLog;
  /** Kafka. Closed with the relay. */
  readonly kafka: Driver;
  /** Of topics in Kafka; may be empty. */
  readonly prefix: string;
  readonly observer: RelayObserver;
  /** New topics of the log are looked for at least this often, in ms. Default 1,000. */
  readonly topicsEveryMs?: number | undefined;
}

/** Records read from a partition of the log at once, and bytes of their values. */
const batchSize = 500;
const maxBatchBytes = 1024 * 1024;
/**
 * In ms. Each topic looks and shows itself on its own, so both are rare, lest idle topics keep the
 * database busy. Hints of appends come at once; a poll is for those that were lost with a process.
 */
const pollMs = 5_000;
const leaseMs = 10_000;

/**
 * Publishes the whole log to Kafka, as `<prefix>.<topic>`, with keys, values and headers as they are;
 * but for the topics in which consumers of the log keep retries and dead letters. Any number of
 * workers may do it: they share the partitions of the log.
 */
export class Relay {
  readonly #options: RelayOptions;
  readonly #source: Driver;
  readonly #topics = new Map<string, TopicRelay | undefined>();
  readonly #failing = new Map<string, PlatformError>();
  readonly #unwatch: () => void;
  readonly #observer: RelayObserver;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#observer = this.#noticing(options.observer);
    this.#source = createPostgresDriver(options.log, {
      batchSize,
      maxBatchBytes,
      pollMs,
      leaseMs,
      onSkipped: ({ topic, partition, from, to }) =>
        this.#observer.skipped({ topic, partition }, to - from),
    });
    this.#unwatch = options.log.watchAll((topic) => {
      if (topic !== undefined && !this.#topics.has(topic)) this.#look();
    });
    this.#look();
  }

  /**
   * Whether Kafka takes what it is given.
   * @throws PlatformError `STREAM_*`: why it does not
   */
  async check(): Promise<void> {
    const [failure] = this.#failing.values();
    if (failure) throw failure;
    await this.#options.kafka.ping();
  }

  /** Finishes what is under way, within a few seconds. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#unwatch();
    clearTimeout(this.#timer);
    await this.#looking;
    clearTimeout(this.#timer);
    await Promise.all([...this.#topics.values()].map((topic) => topic?.close()));
    await this.#source.close();
    await this.#options.kafka.close();
  }

  #look(): void {
    if (this.#closing) return;
    clearTimeout(this.#timer);
    this.#looking ??= this.#startMissing().finally(() => {
      this.#looking = undefined;
      if (this.#closing) return;
      this.#timer = setTimeout(() => this.#look(), this.#options.topicsEveryMs ?? 1_000);
    });
  }

  async #startMissing(): Promise<void> {
    try {
      for (const topic of await this.#options.log.listTopics()) {
        if (!this.#topics.has(topic)) this.#topics.set(topic, this.#start(topic));
      }
    } catch (error) {
      this.#observer.interrupted('', error);
    }
  }

  #start(topic: string): TopicRelay | undefined {
    if (isDeadLetterTopic(topic) || isRetryTopic(topic)) return undefined;
    const { kafka: target, prefix } = this.#options;
    try {
      const kafkaTopic = toWireTopic(prefix, topic);
      const observer = this.#observer;
      return new TopicRelay({ source: this.#source, target, topic, kafkaTopic, observer });
    } catch (error) {
      // A name that Kafka does not take.
      this.#observer.refused({ topic }, toRelayError(error));
      return undefined;
    }
  }

  /** Remembers which topics of Kafka fail, for `check`. */
  #noticing(observer: RelayObserver): RelayObserver {
    return {
      ...observer,
      failed: (topic, error) => {
        this.#failing.set(topic, error);
        observer.failed(topic, error);
      },
      published: (topic, records, durationMs) => {
        this.#failing.delete(topic);
        observer.published(topic, records, durationMs);
      },
    };
  }
}
