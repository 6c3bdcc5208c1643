import type { PlatformError } from '@posthaste/contracts';
import {
  createPostgresDriver,
  type Driver,
  isDeadLetterTopic,
  isRetryTopic,
  type PostgresLog,
  toWireTopic,
} from '@posthaste/eventstream';
import { type RelayObserver, toRelayError } from './relay-observer.js';
import { TopicRelay } from './topic-relay.js';

/** Options of `Relay`. */
export interface RelayOptions {
  readonly log: PostgresLog;
  /** Driver for Kafka. Closed with the relay. */
  readonly kafka: Driver;
  /** Prefix of topic names in Kafka, without the dot; may be empty. */
  readonly prefix: string;
  readonly observer: RelayObserver;
}

/** Most records, and most bytes of their values, read from a partition of the log at once. */
const batchSize = 500;
const maxBatchBytes = 1024 * 1024;
/** Pause between two queries for new topics of the log, in ms. */
const discoverMs = 1_000;
/**
 * In ms. Each topic polls and renews its leases on its own, so both are rare: otherwise idle topics
 * would keep the database busy. New records are announced by NOTIFY; polling finds those whose
 * notification was lost with a process.
 */
const pollMs = 5_000;
const leaseMs = 10_000;

/**
 * Relay of the whole log to Kafka: topics become `<prefix>.<topic>`, keys, values and headers stay as
 * they are, with the application of each record in the header `posthaste-application`. Topics in which consumers of the log keep retries and dead letters are left out. Any
 * number of workers may run a relay: they share the partitions of the log.
 */
export class Relay {
  readonly #options: RelayOptions;
  readonly #source: Driver;
  /** Relay of each known topic; `undefined` for topics that are left out. */
  readonly #topics = new Map<string, TopicRelay | undefined>();
  /** Last error of each topic in Kafka that fails at present. */
  readonly #failing = new Map<string, PlatformError>();
  readonly #unwatch: () => void;
  readonly #observer: RelayObserver;
  #timer: NodeJS.Timeout | undefined;
  #discovering: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#observer = this.#trackFailures(options.observer);
    this.#source = createPostgresDriver(options.log, {
      batchSize,
      maxBatchBytes,
      pollMs,
      leaseMs,
      onSkipped: ({ topic, partition, from, to }) =>
        this.#observer.skipped({ topic, partition }, to - from),
    });
    this.#unwatch = options.log.watchAll((topic) => {
      if (topic !== undefined && !this.#topics.has(topic)) this.#discoverTopics();
    });
    this.#discoverTopics();
  }

  /**
   * Resolves when Kafka answers and accepts records.
   * @throws PlatformError `STREAM_*` or another code of the last failure, when it does not
   */
  async check(): Promise<void> {
    const [failure] = this.#failing.values();
    if (failure) throw failure;
    await this.#options.kafka.ping();
  }

  /** Finishes requests under way, within a few seconds. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#unwatch();
    clearTimeout(this.#timer);
    await this.#discovering;
    clearTimeout(this.#timer);
    await Promise.all([...this.#topics.values()].map((topic) => topic?.close()));
    await this.#source.close();
    await this.#options.kafka.close();
  }

  #discoverTopics(): void {
    if (this.#closing) return;
    clearTimeout(this.#timer);
    this.#discovering ??= this.#startNewTopics().finally(() => {
      this.#discovering = undefined;
      if (this.#closing) return;
      this.#timer = setTimeout(() => this.#discoverTopics(), discoverMs);
    });
  }

  async #startNewTopics(): Promise<void> {
    try {
      for (const topic of await this.#options.log.listTopics('all')) {
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
      // Kafka does not allow the topic's name.
      this.#observer.refused({ topic }, toRelayError(error));
      return undefined;
    }
  }

  /** Wraps an observer so that it also keeps which topics of Kafka fail, for `check`. */
  #trackFailures(observer: RelayObserver): RelayObserver {
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
