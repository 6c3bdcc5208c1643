import type { ConsumeObserver, ConsumerName, RecordOutcome } from '../consume/observer.js';
import type { StoredRecord } from '../record.js';
import { Distribution } from './distribution.js';

const delayBounds = [0.005, 0.01, 0.03, 0.1, 0.5, 1, 10, 60, 600, 3_600];

/** What one consumer, a group on a topic, has done. */
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
  failedAttempts = 0;
  failedCommits = 0;
  interruptions = 0;
  /** Offset after the last finished record, by partition. */
  readonly nextOffset: Map<number, bigint> = new Map();
  /** From being appended to being finished. */
  readonly delaySeconds: Distribution = new Distribution(delayBounds);

  constructor(name: ConsumerName) {
    this.name = name;
  }
}

/** Counts what consumers tell. */
export class ConsumeStats
  implements Omit<ConsumeObserver, 'partitionBlocked' | 'partitionUnblocked'>
{
  readonly #now: () => number;
  /** By the name's own identity first: it saves building a key for each record. */
  readonly #byIdentity = new WeakMap<ConsumerName, ConsumerStats>();
  readonly #byKey = new Map<string, ConsumerStats>();

  /** @param now milliseconds since 1970 */
  constructor(now: () => number) {
    this.#now = now;
  }

  get consumers(): Iterable<ConsumerStats> {
    return this.#byKey.values();
  }

  finished(consumer: ConsumerName, record: StoredRecord, outcome: RecordOutcome): void {
    const tally = this.#of(consumer);
    tally.outcomes[outcome] += 1;
    tally.bytes += (record.key?.length ?? 0) + (record.value?.length ?? 0);
    tally.nextOffset.set(record.partition, record.offset + 1n);
    tally.delaySeconds.observe(Math.max(0, this.#now() - record.timestampMs) / 1_000);
  }

  attemptFailed(consumer: ConsumerName): void {
    this.#of(consumer).failedAttempts += 1;
  }

  commitFailed(consumer: ConsumerName): void {
    this.#of(consumer).failedCommits += 1;
  }

  interrupted(consumer: ConsumerName): void {
    this.#of(consumer).interruptions += 1;
  }

  #of(consumer: ConsumerName): ConsumerStats {
    return this.#byIdentity.get(consumer) ?? this.#add(consumer);
  }

  #add(consumer: ConsumerName): ConsumerStats {
    // A space is in no topic.
    const key = `${consumer.topic} ${consumer.groupId}`;
    const tally = this.#byKey.get(key) ?? new ConsumerStats(consumer);
    this.#byKey.set(key, tally);
    this.#byIdentity.set(consumer, tally);
    return tally;
  }
}
