import { PlatformError } from '@posthaste/contracts';
import type { Database, Transaction } from '@posthaste/postgres';
import type { AppendRequest, GroupLag } from '../../driver.js';
import {
  createPartitioner,
  type Partitioner,
  type PartitionerName,
} from '../../publish/partitioner.js';
import {
  type AppendedRecord,
  type AppendOptions,
  type AppendRules,
  appendByKey,
  appendToShard,
  checkSizes,
  type LogRecord,
} from './append/append.js';
import { appendEventsByKey, type LogEvent } from './append/append-events.js';
import { type GroupBatch, type GroupBatchRequest, readGroupBatch } from './group/group-batch.js';
import { type GroupPage, type GroupQuery, listGroups, readProgress } from './group/group-pages.js';
import { ensureGroup, findGroup, seekGroup } from './group/group-store.js';
import { LogSubscription, type LogSubscriptionOptions } from './group/log-subscription.js';
import { type EventPage, type EventQuery, listEvents } from './read/event-pages.js';
import { type FollowOptions, followEvents } from './read/follow-events.js';
import { type MaintenanceOptions, type MaintenanceOutcome, maintainSegments } from './segments.js';
import { appendChannel, groupChannel, NotifyChannel } from './storage/notify-channel.js';
import { type LogTopic, TopicDirectory } from './storage/topic-directory.js';

export interface PostgresLogOptions {
  /** The database, with `eventstreamMigrations` applied. Stays open when the log is closed. */
  readonly db: Database;
  /** Partitions of topics that are made by being used, 1 to 1,024. Default 4. */
  readonly partitions?: number | undefined;
  /** How a key chooses its partition in `append`. Default `java`, as clients have it. */
  readonly partitioner?: PartitionerName | undefined;
  /** Largest key and value together, in bytes. Default 1 MiB. */
  readonly maxRecordBytes?: number | undefined;
}

export interface GroupRequest {
  readonly topic: string;
  readonly groupId: string;
}

/** How a statement appends events to one topic. */
export interface StatementAppend {
  /**
   * A function in SQL. Takes, with an entry for each event: places (`integer[]`), names, keys,
   * envelopes and W3C trace contexts or null (`text[]`).
   */
  readonly appendFunction: string;
  /** The place of an event with this key. */
  placeOf(key: string): number;
}

/** What of a subscription the log itself does not have. */
export type LogSubscribeRequest = Omit<
  LogSubscriptionOptions,
  'db' | 'topics' | 'appends' | 'groups'
>;

/**
 * The platform's log and outbox: records by topic and partition, in Postgres. What is appended in a
 * transaction is there when it commits, and only then; readers see a partition in one order and
 * never pass a gap (log-functions.ts says how).
 */
export class PostgresLog {
  readonly #db: Database;
  readonly #topics: TopicDirectory;
  readonly #appends: NotifyChannel;
  readonly #groups: NotifyChannel;
  readonly #rules: AppendRules;

  /** @throws PlatformError `OPTION_INVALID` */
  constructor({ db, partitions = 4, partitioner = 'java', maxRecordBytes }: PostgresLogOptions) {
    const maxBytes = maxRecordBytes ?? 1_048_576;
    if (!(maxBytes > 0)) throw new PlatformError('OPTION_INVALID', `records of ${maxBytes} bytes`);
    this.#db = db;
    this.#topics = new TopicDirectory(partitions);
    this.#appends = new NotifyChannel(db, appendChannel);
    this.#groups = new NotifyChannel(db, groupChannel);
    const partitionerOf = rememberPartitioners(partitioner);
    this.#rules = { topics: this.#topics, partitionerOf, maxBytes };
  }

  /**
   * Makes the topic unless it is there; the number of partitions of one that is there stays.
   * @throws PlatformError `EVENT_INVALID` for the name, `OPTION_INVALID`, `DATABASE_*`
   */
  async ensureTopic(topic: string, partitions?: number): Promise<{ readonly partitions: number }> {
    const known = (await this.#topics.find(this.#db, [topic])).get(topic);
    if (known) return { partitions: known.shards.length };
    await this.#db.transaction((tx) => this.#topics.ensure(tx, [topic], partitions));
    return { partitions: (await this.#topics.get(this.#db, topic)).shards.length };
  }

  /** Those of these topics that there are not, each once, in the order given. */
  async findMissingTopics(topics: readonly string[]): Promise<string[]> {
    const found = await this.#topics.find(this.#db, topics);
    return [...new Set(topics)].filter((topic) => !found.has(topic));
  }

  async countTopics(): Promise<number> {
    const count = 'select count(*)::int as topics from eventstream.topic';
    const { rows } = await this.#db.query<{ topics: number }>(count);
    return rows[0]?.topics ?? 0;
  }

  /** Names of all topics, in their order. */
  async listTopics(): Promise<string[]> {
    const { rows } = await this.#db.query<{ name: string }>(
      'select name from eventstream.topic order by name',
    );
    return rows.map(({ name }) => name);
  }

  /**
   * Appends in the caller's transaction, in the order given, with one statement. Best the last thing
   * that the transaction does: readers of these partitions wait for its end. Topics that are missing
   * are made. The transaction must be read committed, as transactions are unless told otherwise.
   * @returns the places, in the order given
   * @throws PlatformError `EVENT_TOO_LARGE`, `EVENT_INVALID`; `DATABASE_*`, such as
   *   `DATABASE_CONFLICT` when two transactions append the same keys in opposite orders
   */
  append(
    tx: Transaction,
    records: readonly LogRecord[],
    options?: AppendOptions,
  ): Promise<AppendedRecord[]> {
    return appendByKey(tx, this.#rules, records, options);
  }

  /**
   * Appends events as publishers write them: the envelope of the default profile with the headers of
   * a CloudEvent. Else as `append`.
   * @throws PlatformError `ENVELOPE_INVALID`, and those of `append`
   */
  appendEvents(
    tx: Transaction,
    events: readonly LogEvent[],
    options?: AppendOptions,
  ): Promise<void> {
    return appendEventsByKey(tx, this.#rules, events, options);
  }

  /**
   * For statements in the same database that append by themselves, as `appendEvents` does but for the
   * locks of keys and the notice. Makes the topic unless it is there.
   */
  async inStatement(topic: string): Promise<StatementAppend> {
    await this.ensureTopic(topic);
    const { shards } = await this.#topics.get(this.#db, topic);
    const partitionOf = this.#rules.partitionerOf(topic);
    return {
      appendFunction: 'eventstream.append_texts',
      placeOf: (key) => shards[partitionOf(Buffer.from(key), shards.length)] ?? 0,
    };
  }

  /**
   * Appends to one partition in a transaction of its own.
   * @throws PlatformError `TOPIC_NOT_FOUND`, `OPTION_INVALID` for the partition, `EVENT_TOO_LARGE`,
   *   `DATABASE_*`
   */
  async appendTo({ topic, partition, records, timeoutMs }: AppendRequest): Promise<void> {
    checkSizes(records, this.#rules.maxBytes);
    const shard = shardOf(await this.#topics.get(this.#db, topic), partition);
    const limits = { statementTimeoutMs: timeoutMs };
    await this.#db.transaction((tx) => appendToShard(tx, shard, records), limits);
    this.hint(topic);
  }

  /** Tells readers, soon, that something was appended to the topic. Never fails. */
  hint(topic: string): void {
    this.#appends.hint(topic);
  }

  /**
   * Calls `onAppend` after appends to the topic, in whatever process: a hint, over which one polls.
   * @returns what ends it
   */
  watch(topic: string, onAppend: () => void): () => void {
    return this.#appends.watch(topic, onAppend);
  }

  /** The same for all topics; without one when appends may have been missed. */
  watchAll(onAppend: (topic: string | undefined) => void): () => void {
    return this.#appends.watchAll(onAppend);
  }

  /**
   * One page of records, oldest first: see `EventQuery`.
   * @throws PlatformError `TOPIC_NOT_FOUND`, `REQUEST_INVALID`, `DATABASE_*`
   */
  listEvents(query: EventQuery): Promise<EventPage> {
    return listEvents(this.#db, this.#rules, query);
  }

  /** Pages as they come, until the signal ends it. Never empty. @throws as `listEvents` */
  followEvents(query: EventQuery, options: FollowOptions = {}): AsyncGenerator<EventPage, void> {
    return followEvents(this, query, options);
  }

  /**
   * Makes the group unless it is there; then it stays where it is.
   * @param startOffset `offsetBeginning`, `offsetEnd`, or a number, for every partition
   */
  async ensureGroup({ topic, groupId }: GroupRequest, startOffset: bigint): Promise<void> {
    await this.#db.transaction(async (tx) => {
      const found = (await this.#topics.ensure(tx, [topic])).get(topic);
      if (found) await ensureGroup(tx, found, groupId, startOffset);
    });
  }

  /**
   * The next records of a group, consumed in the caller's transaction: see `GroupBatchRequest`.
   * @throws PlatformError `DATABASE_*`, `EVENT_INVALID`
   */
  readGroupBatch(tx: Transaction, request: GroupBatchRequest): Promise<GroupBatch> {
    return readGroupBatch(tx, this.#topics, request);
  }

  /**
   * Sets where a group goes on, by partition. Consumers that are at work go on from where they are
   * and store that; so it is for groups that nobody is in.
   * @throws PlatformError `TOPIC_NOT_FOUND`, `REQUEST_INVALID` when there is no such group,
   *   `OPTION_INVALID` when there is no such partition
   */
  async seek({ topic, groupId }: GroupRequest, to: ReadonlyMap<number, bigint>): Promise<void> {
    await this.#db.transaction(async (tx) => {
      const found = await this.#topics.get(tx, topic);
      const group = await findGroup(tx, found, groupId);
      if (group === undefined) {
        throw new PlatformError('REQUEST_INVALID', `${topic} has no group ${groupId}`);
      }
      const offsets = new Map<number, bigint>();
      for (const [partition, offset] of to) offsets.set(shardOf(found, partition), offset);
      await seekGroup(tx, group, offsets);
    });
  }

  /** Forgets a group. What its consumers have in hand cannot be committed any more. */
  async deleteGroup({ topic, groupId }: GroupRequest): Promise<void> {
    const { id } = await this.#topics.get(this.#db, topic);
    const remove = 'delete from eventstream.consumer_group where topic_id = $1 and name = $2';
    await this.#db.query(remove, [id, groupId]);
  }

  /** How far the groups of a topic have come; none where there is no such topic. */
  lag(topic: string, groupId?: string): Promise<readonly GroupLag[]> {
    return readProgress(this.#db, { topic, groupId });
  }

  /**
   * How far the groups of all topics have come, page after page: see `GroupQuery`.
   * @throws PlatformError `REQUEST_INVALID`, `DATABASE_*`
   */
  listGroups(query: GroupQuery = {}): Promise<GroupPage> {
    return listGroups(this.#db, query);
  }

  /** Joins a group: what the driver does for clients. */
  subscribe(request: LogSubscribeRequest): LogSubscription {
    const own = {
      db: this.#db,
      topics: this.#topics,
      appends: this.#appends,
      groups: this.#groups,
    };
    return new LogSubscription({ ...request, ...own });
  }

  /** New partition of the table when it is time, and those past retention dropped. */
  maintain(options?: MaintenanceOptions): Promise<MaintenanceOutcome> {
    return maintainSegments(this.#db, options);
  }

  /** @throws PlatformError `DATABASE_*` when the database does not answer */
  ping(): Promise<void> {
    return this.#db.ping();
  }

  /** Ends what the log has open; subscriptions are their owners'. Idempotent. */
  async close(): Promise<void> {
    await Promise.all([this.#appends.close(), this.#groups.close()]);
  }
}

/** @throws PlatformError `OPTION_INVALID` */
function shardOf({ name, shards }: LogTopic, partition: number): number {
  const shard = shards[partition];
  if (shard !== undefined) return shard;
  throw new PlatformError('OPTION_INVALID', `${name} has no partition ${partition}`);
}

/** One for each topic: it remembers whose turn it is of records without a key. */
function rememberPartitioners(name: PartitionerName): (topic: string) => Partitioner {
  const made = new Map<string, Partitioner>();
  return (topic) => {
    const partitioner = made.get(topic) ?? createPartitioner(name);
    made.set(topic, partitioner);
    return partitioner;
  };
}
