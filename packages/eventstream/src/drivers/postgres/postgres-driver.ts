import { PlatformError } from '@posthaste/contracts';
import type {
  AppendRequest,
  Driver,
  DriverSubscription,
  GroupLag,
  SubscriptionHandler,
  SubscriptionRequest,
} from '../../driver.js';
import type { LogSubscription } from './group/log-subscription.js';
import type { SkippedRange } from './group/shard-reader.js';
import type { LogSubscribeRequest, PostgresLog } from './postgres-log.js';
import { toStreamError } from './storage/stream-errors.js';

/** Options of the Postgres driver. */
export interface PostgresDriverOptions {
  /**
   * Lease of a consumer, in ms. A consumer that does not renew it in time is considered dead, and
   * others take over its partitions. It is renewed every third of this time. Default 5,000, at
   * least 300.
   */
  readonly leaseMs?: number | undefined;
  /**
   * Longest time between two polls for new records, in ms; hints make it shorter. Default 1,000.
   */
  readonly pollMs?: number | undefined;
  /** Most records in one call of a handler. Default 500. */
  readonly batchSize?: number | undefined;
  /** A batch ends with the record with which its values reach this many bytes. Default 4 MiB. */
  readonly maxBatchBytes?: number | undefined;
  /** Called when records were dropped by age before a group had read them. Must not throw. */
  readonly onSkipped?: ((skipped: SkippedRange) => void) | undefined;
}

/** Options of consumers with the defaults filled in. */
type ConsumerSettings = Omit<LogSubscribeRequest, 'request' | 'handler'>;

const minLeaseMs = 300;

/**
 * Creates a driver on the log. Closing the driver leaves the log and its database open.
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
      throw new PlatformError(
        'OPTION_INVALID',
        `leaseMs must be at least ${minLeaseMs}, pollMs over 0, batchSize and maxBatchBytes over 0`,
      );
    }
    this.#log = log;
    this.#options = { leaseMs, pollMs, batchSize, maxBatchBytes, onSkipped };
  }

  partitionCount(topic: string): Promise<number> {
    return this.#run(async () => (await this.#log.ensureTopic(topic)).partitions);
  }

  append({ topic, partition, records, timeoutMs }: AppendRequest): Promise<void> {
    return this.#run(() => this.#log.appendTo({ topic, partition, records, timeoutMs }));
  }

  subscribe(request: SubscriptionRequest, handler: SubscriptionHandler): DriverSubscription {
    this.#assertOpen();
    const subscription = this.#log.subscribe({ ...this.#options, request, handler });
    this.#subscriptions.add(subscription);
    return subscription;
  }

  lag(topic: string, groupId?: string): Promise<readonly GroupLag[]> {
    return this.#run(() => this.#log.lag(topic, groupId));
  }

  ping(): Promise<void> {
    return this.#run(() => this.#log.ping());
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.close()));
  }

  #assertOpen(): void {
    if (this.#closed) throw new PlatformError('STREAM_CLOSED', 'the driver was closed');
  }

  /** Runs `work` and translates its errors to the codes of drivers. */
  async #run<T>(work: () => Promise<T>): Promise<T> {
    this.#assertOpen();
    try {
      return await work();
    } catch (error) {
      throw toStreamError(error);
    }
  }
}
