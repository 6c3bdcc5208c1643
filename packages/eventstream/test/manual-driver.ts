import { PlatformError } from '@posthaste/contracts';
import type {
  Driver,
  DriverSubscription,
  SubscriptionHandler,
  SubscriptionRequest,
} from '../src/driver.js';
import type { OutgoingRecord, StoredRecord } from '../src/record.js';

/** Subscription whose handler the test calls. */
export interface ManualSubscription {
  readonly request: SubscriptionRequest;
  readonly handler: SubscriptionHandler;
  /** Successful commits, in order. */
  readonly commits: ReadonlyMap<number, bigint>[];
  /** The last committed offset of each partition. */
  readonly committed: Map<number, bigint>;
  /** If set, the error with which commits fail. */
  failure: unknown;
  /** Partitions whose commits fail, because they belong to another consumer. */
  readonly refused: Set<number>;
  closed: boolean;
}

export interface ManualDriver extends Pick<Driver, 'subscribe'> {
  readonly subscriptions: ManualSubscription[];
}

/** Creates a driver that does nothing by itself: the test calls the handlers. */
export function createManualDriver(): ManualDriver {
  const subscriptions: ManualSubscription[] = [];
  return {
    subscriptions,
    subscribe(request, handler): DriverSubscription {
      const subscription: ManualSubscription = {
        request,
        handler,
        commits: [],
        committed: new Map(),
        failure: undefined,
        refused: new Set(),
        closed: false,
      };
      subscriptions.push(subscription);
      return {
        async commit(offsets) {
          await Promise.resolve();
          if (subscription.failure !== undefined) throw subscription.failure;
          if ([...offsets.keys()].some((partition) => subscription.refused.has(partition))) {
            throw new PlatformError('STREAM_ASSIGNMENT_LOST', 'owned by another consumer');
          }
          subscription.commits.push(offsets);
          for (const [partition, offset] of offsets) subscription.committed.set(partition, offset);
        },
        async close() {
          subscription.closed = true;
        },
      };
    },
  };
}

/** Returns a record of a topic, with an event of this name unless a value is given. */
export function storedRecord(
  offset: number,
  fields: Partial<StoredRecord> & { name?: string },
): StoredRecord {
  const { name = 'login', ...rest } = fields;
  const envelope = { id: `id-${offset}`, name, namespace: 'game', version: 1, timestamp: '' };
  return {
    topic: 'game.account',
    partition: 0,
    offset: BigInt(offset),
    key: null,
    value: Buffer.from(JSON.stringify(envelope)),
    headers: {},
    timestampMs: 1_767_323_045_000 + offset,
    ...rest,
  };
}

/** Appender that collects records, and fails while `failure` is set. */
export interface ManualAppender {
  readonly appended: { readonly topic: string; readonly record: OutgoingRecord }[];
  failure: unknown;
  append(topic: string, record: OutgoingRecord): Promise<void>;
}

export function createManualAppender(): ManualAppender {
  return {
    appended: [],
    failure: undefined,
    async append(topic, record) {
      await Promise.resolve();
      if (this.failure !== undefined) throw this.failure;
      this.appended.push({ topic, record });
    },
  };
}
