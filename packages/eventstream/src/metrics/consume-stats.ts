import type {
  ConsumeObserver,
  ConsumerName,
  LostRecords,
  RecordOutcome,
} from '../consume/observer.js';
import type { StoredRecord } from '../record.js';
import { Distribution } from './distribution.js';

const delayBounds = [0.005, 0.01, 0.03, 0.1, 0.5, 1, 10, 60, 600, 3_600];

/** Statistics of one consumer, a group on a topic. */
export class ConsumerStats {
  readonly name: ConsumerName;
  readonly outcomes: Record<RecordOutcome, number> = {
    handled: 0,
    skipped: 0,
    unreadable: 0,
    retried: 0,
    dead: 0,
  };
  bytes = 0;
  failedCalls = 0;
  failedCommits = 0;
  interruptions = 0;
  lostRecords = 0;
  /** Offset after the last finished record, by partition. */
  readonly nextOffset: Map<number, bigint> = new Map();
  /** From the append of a record until it is finished. */
  readonly delaySeconds: Distribution = new Distribution(delayBounds);

  constructor(name: ConsumerName) {
    this.name = name;
  }
}

/** Observer that counts the reports of consumers. */
export class ConsumeStats
  implements Omit<ConsumeObserver, 'partitionBlocked' | 'partitionUnblocked'>
{
  readonly #now: () => number;
  /** By object identity of the name, which saves building a key for each record. */
  readonly #byIdentity = new WeakMap<ConsumerName, ConsumerStats>();
  readonly #byKey = new Map<string, ConsumerStats>();

  /** @param now clock, in ms since 1970 */
  constructor(now: () => number) {
    this.#now = now;
  }

  get consumers(): Iterable<ConsumerStats> {
    return this.#byKey.values();
  }

  finished(consumer: ConsumerName, record: StoredRecord, outcome: RecordOutcome): void {
    const stats = this.#of(consumer);
    stats.outcomes[outcome] += 1;
    stats.bytes += (record.key?.length ?? 0) + (record.value?.length ?? 0);
    stats.nextOffset.set(record.partition, record.offset + 1n);
    stats.delaySeconds.observe(Math.max(0, this.#now() - record.timestampMs) / 1_000);
  }

  callFailed(consumer: ConsumerName): void {
    this.#of(consumer).failedCalls += 1;
  }

  commitFailed(consumer: ConsumerName): void {
    this.#of(consumer).failedCommits += 1;
  }

  interrupted(consumer: ConsumerName): void {
    this.#of(consumer).interruptions += 1;
  }

  recordsLost(consumer: ConsumerName, { from, to }: LostRecords): void {
    this.#of(consumer).lostRecords += Number(to - from);
  }

  #of(consumer: ConsumerName): ConsumerStats {
    return this.#byIdentity.get(consumer) ?? this.#add(consumer);
  }

  #add(consumer: ConsumerName): ConsumerStats {
    // Topics contain no space.
    const key = `${consumer.topic} ${consumer.groupId}`;
    const stats = this.#byKey.get(key) ?? new ConsumerStats(consumer);
    this.#byKey.set(key, stats);
    this.#byIdentity.set(consumer, stats);
    return stats;
  }
}
