import { PlatformError } from '@posthaste/contracts';
import type {
  AppendRequest,
  Driver,
  DriverSubscription,
  GroupLag,
  SubscriptionHandler,
  SubscriptionRequest,
} from '../../driver.js';
import type { LogSubscription, SkippedRange } from './group/log-subscription.js';
import type { LogSubscribeRequest, PostgresLog } from './postgres-log.js';
import { toStreamError } from './storage/stream-errors.js';

export interface PostgresDriverOptions {
  /**
   * A consumer that does not show itself for this long is dead, and the others take over what it
   * had; in ms. It shows itself three times as often. Default 5,000, at least 300.
   */
  readonly leaseMs?: number | undefined;
  /** Consumers look for new records at least this often, in ms, hints aside. Default 1,000. */
  readonly pollMs?: number | undefined;
  /** Most records in one call of a handler. Default 500. */
  readonly batchSize?: number | undefined;
  /** A batch ends with the record that brings its values to this many bytes. Default 4 MiB. */
  readonly maxBatchBytes?: number | undefined;
  /** Told when a group comes upon records that were dropped by age. Must not throw. */
  readonly onSkipped?: ((skipped: SkippedRange) => void) | undefined;
}

/** The options that consumers take, defaults filled in. */
type ConsumerSettings = Omit<LogSubscribeRequest, 'request' | 'handler'>;

const minLeaseMs = 300;

/**
 * The log as a stream of clients. Closing the driver leaves the log and its database open.
 * @throws PlatformError `OPTION_INVALID`
 */
export function createPostgresDriver(
  log: PostgresLog,
  options: PostgresDriverOptions = {},
): Driver {
  return new PostgresDriver(log, options);
}

class PostgresDriver implements Driver {
  readonly #log: PostgresLog;
  readonly #options: ConsumerSettings;
  readonly #subscriptions = new Set<LogSubscription>();
  #closed = false;

  constructor(log: PostgresLog, options: PostgresDriverOptions) {
    const { leaseMs = 5_000, pollMs = 1_000, batchSize = 500 } = options;
    const { maxBatchBytes = 4 * 1024 * 1024, onSkipped = () => undefined } = options;
    if (!(leaseMs >= minLeaseMs && pollMs > 0 && batchSize >= 1 && maxBatchBytes >= 1)) {
      throw new PlatformError('OPTION_INVALID', 'an option of the postgres stream is too low');
    }
    this.#log = log;
    this.#options = { leaseMs, pollMs, batchSize, maxBatchBytes, onSkipped };
  }

  partitionCount(topic: string): Promise<number> {
    return this.#ask(async () => (await this.#log.ensureTopic(topic)).partitions);
  }

  append({ topic, partition, records, timeoutMs }: AppendRequest): Promise<void> {
    return this.#ask(() => this.#log.appendTo({ topic, partition, records, timeoutMs }));
  }

  subscribe(request: SubscriptionRequest, handler: SubscriptionHandler): DriverSubscription {
    this.#assertOpen();
    const subscription = this.#log.subscribe({ ...this.#options, request, handler });
    this.#subscriptions.add(subscription);
    return subscription;
  }

  lag(topic: string, groupId?: string): Promise<readonly GroupLag[]> {
    return this.#ask(() => this.#log.lag(topic, groupId));
  }

  ping(): Promise<void> {
    return this.#ask(() => this.#log.ping());
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.close()));
  }

  #assertOpen(): void {
    if (this.#closed) throw new PlatformError('STREAM_CLOSED', 'the driver was closed');
  }

  async #ask<T>(work: () => Promise<T>): Promise<T> {
    this.#assertOpen();
    try {
      return await work();
    } catch (error) {
      throw toStreamError(error);
    }
  }
}
