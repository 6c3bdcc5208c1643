import {
  type ApplicationRules,
  type Applications,
  noApplicationRules,
  PlatformError,
} from '@posthaste/contracts';
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
import {
  type GroupPage,
  type GroupQuery,
  type GroupRules,
  listGroups,
  readProgress,
} from './group/group-pages.js';
import { deleteGroup, ensureGroup, findGroup, seekGroup } from './group/group-store.js';
import { LogSubscription, type LogSubscriptionOptions } from './group/log-subscription.js';
import { type EventPage, type EventQuery, listEvents } from './read/event-pages.js';
import { type FollowOptions, followEvents } from './read/follow-events.js';
import { LiveReader } from './read/live-reader.js';
import {
  findByKey,
  findNewestOfKeys,
  findTail,
  type KeyQuery,
  type NewestOfKeys,
  type NewestQuery,
  type PartitionEnds,
  type PartitionName,
  type PartitionPage,
  type PartitionQuery,
  readPartition,
  type TailSize,
} from './read/partition-pages.js';
import type { ShardName } from './read/read-store.js';
import { type MaintenanceOptions, type MaintenanceOutcome, maintainSegments } from './segments.js';
import { appendChannel, groupChannel, NotifyChannel } from './storage/notify-channel.js';
import { TopicAccess, type TopicApplication } from './storage/topic-access.js';
import { type LogTopic, TopicDirectory } from './storage/topic-directory.js';

/** Options of a log. */
export interface PostgresLogOptions {
  /** The database, with `eventstreamMigrations` applied. It stays open when the log is closed. */
  readonly db: Database;
  /** Partitions of topics that are created on first use, 1 to 1,024. Default 4. */
  readonly partitions?: number | undefined;
  /** Rule by which a key chooses its partition in `append`. Default `java`, as for clients. */
  readonly partitioner?: PartitionerName | undefined;
  /** Largest key and value together, in bytes. Default 1 MiB. */
  readonly maxRecordBytes?: number | undefined;
  /** Rules that map topics to applications: topic-access.ts. Default: none. */
  readonly topicRules?: ApplicationRules | undefined;
  /** Rules that map consumer groups to applications. Default: none. */
  readonly groupRules?: ApplicationRules | undefined;
}

/** A consumer group on one topic. */
export interface GroupRequest {
  readonly topic: string;
  readonly groupId: string;
}

/** Appends of events to one topic by an SQL statement of the caller. */
export interface StatementAppend {
  /**
   * Name of an SQL function. Its arguments have an entry for each event: shards (`integer[]`),
   * names, keys, envelopes, W3C trace contexts or null, and applications or null (`text[]`).
   */
  readonly appendFunction: string;
  /** Returns the shard of a key. */
  shardOf(key: string): number;
}

/** The options of a subscription that the log does not have itself. */
export type LogSubscribeRequest = Omit<
  LogSubscriptionOptions,
  'db' | 'topics' | 'appends' | 'groups'
>;

/**
 * The platform's log and outbox: records by topic and partition, in Postgres. A record that is
 * appended in a transaction exists when that commits, and only then. Readers see a partition in one
 * order and never skip a record (log-functions.ts).
 */
export class PostgresLog {
  readonly #db: Database;
  readonly #topics: TopicDirectory;
  readonly #access: TopicAccess;
  readonly #appends: NotifyChannel;
  readonly #groups: NotifyChannel;
  readonly #rules: AppendRules & GroupRules;

  /** @throws PlatformError `OPTION_INVALID` */
  constructor({
    db,
    partitions = 4,
    partitioner = 'java',
    maxRecordBytes,
    topicRules = noApplicationRules,
    groupRules = noApplicationRules,
  }: PostgresLogOptions) {
    const maxBytes = maxRecordBytes ?? 1_048_576;
    if (!(maxBytes > 0)) {
      throw new PlatformError('OPTION_INVALID', `maxRecordBytes is ${maxBytes}; it must be over 0`);
    }
    this.#db = db;
    this.#topics = new TopicDirectory(partitions);
    this.#appends = new NotifyChannel(db, appendChannel);
    this.#groups = new NotifyChannel(db, groupChannel);
    const partitionerOf = cachePartitioners(partitioner);
    this.#access = new TopicAccess(topicRules);
    const places = { topics: this.#topics, access: this.#access, partitionerOf };
    this.#rules = { ...places, maxBytes, topicRules, groupRules };
  }

  /**
   * Creates the topic if it is missing. An existing topic keeps its number of partitions.
   * @throws PlatformError `EVENT_INVALID` for the name, `OPTION_INVALID`, `DATABASE_*`
   */
  async ensureTopic(topic: string, partitions?: number): Promise<{ readonly partitions: number }> {
    const known = (await this.#topics.find(this.#db, [topic])).get(topic);
    if (known) return { partitions: known.shards.length };
    await this.#db.transaction((tx) => this.#topics.ensure(tx, [topic], partitions));
    return { partitions: (await this.#topics.get(this.#db, topic)).shards.length };
  }

  /** Returns the topics that do not exist, each once, in the given order. */
  async findMissingTopics(topics: readonly string[]): Promise<string[]> {
    const found = await this.#topics.find(this.#db, topics);
    return [...new Set(topics)].filter((topic) => !found.has(topic));
  }

  /** Returns the names of the topics that these applications may see, in their order. */
  listTopics(within: Applications): Promise<string[]> {
    return this.#access.list(this.#db, within);
  }

  /** True if the topic belongs to an application that is none of these. */
  isForeignTopic(topic: string, within: Applications): boolean {
    return this.#access.isForeign(topic, within);
  }

  /** Returns the pairs of which the application has not published to the topic yet. */
  findNewTopics(pairs: readonly TopicApplication[]): Promise<readonly TopicApplication[]> {
    return this.#access.findNew(this.#db, pairs);
  }

  /** Returns the number of topics to which each of these applications has published. */
  countTopicsOf(applications: readonly string[]): Promise<ReadonlyMap<string, number>> {
    return this.#access.count(this.#db, applications);
  }

  countTopics(): Promise<number> {
    return this.#topics.count(this.#db);
  }

  /**
   * Appends records in the caller's transaction, in the given order, with one statement. Make it
   * the last statement of the transaction: readers of these partitions wait for its end. Missing
   * topics are created. The transaction must be read committed, which is the default.
   * @returns the positions, in the given order
   * @throws PlatformError `EVENT_TOO_LARGE`, `EVENT_INVALID`; `DATABASE_*`, such as
   *   `DATABASE_CONFLICT` when two transactions append the same keys in opposite orders
   */
  append(
    tx: Transaction,
    records: readonly LogRecord[],
    options?: AppendOptions,
  ): Promise<AppendedRecord[]> {
    return appendByKey({ tx, rules: this.#rules }, records, options);
  }

  /**
   * Appends events as publishers write them: the envelope in the default profile, with the headers
   * of a CloudEvent. Otherwise as `append`.
   * @throws PlatformError `ENVELOPE_INVALID`, and those of `append`
   */
  appendEvents(
    tx: Transaction,
    events: readonly LogEvent[],
    options?: AppendOptions,
  ): Promise<void> {
    return appendEventsByKey({ tx, rules: this.#rules }, events, options);
  }

  /**
   * Returns how SQL statements in the same database append events to a topic by themselves. They
   * append as `appendEvents` does, but do not lock keys or notify readers. Creates the topic if it
   * is missing.
   */
  async inStatement(topic: string): Promise<StatementAppend> {
    await this.ensureTopic(topic);
    const { shards } = await this.#topics.get(this.#db, topic);
    const partitionOf = this.#rules.partitionerOf(topic);
    return {
      appendFunction: 'eventstream.append_texts',
      shardOf: (key) => shards[partitionOf(Buffer.from(key), shards.length)] ?? 0,
    };
  }

  /**
   * Appends to one partition, in a transaction of its own.
   * @throws PlatformError `TOPIC_NOT_FOUND`, `OPTION_INVALID` for the partition, `EVENT_TOO_LARGE`,
   *   `DATABASE_*`
   */
  async appendTo({ topic, partition, records, timeoutMs }: AppendRequest): Promise<void> {
    checkSizes(records, this.#rules.maxBytes);
    const found = await this.#topics.get(this.#db, topic);
    const shard = shardOf(found, partition);
    const limits = { statementTimeoutMs: timeoutMs };
    await this.#db.transaction((tx) => {
      return appendToShard({ tx, rules: this.#rules }, { topic: found, shard, records });
    }, limits);
    this.hint(topic);
  }

  /** Notifies readers soon that records were appended to the topic. Never fails. */
  hint(topic: string): void {
    this.#appends.hint(topic);
  }

  /**
   * Calls `onAppend` after appends to the topic, in any process. Hints may be lost: poll as well.
   * @returns the function that ends it
   */
  watch(topic: string, onAppend: () => void): () => void {
    return this.#appends.watch(topic, onAppend);
  }

  /** Does the same for all topics; calls without a topic when hints may have been lost. */
  watchAll(onAppend: (topic: string | undefined) => void): () => void {
    return this.#appends.watchAll(onAppend);
  }

  /**
   * Reads one page of records, the oldest first.
   * @throws PlatformError `TOPIC_NOT_FOUND`, `REQUEST_INVALID`, `DATABASE_*`
   */
  listEvents(query: EventQuery): Promise<EventPage> {
    return listEvents(this.#db, this.#rules, query);
  }

  /**
   * Yields pages, and waits for new records, until the signal is aborted.
   * @throws as `listEvents`
   */
  followEvents(query: EventQuery, options: FollowOptions = {}): AsyncGenerator<EventPage, void> {
    return followEvents(this, query, options);
  }

  /**
   * Reads the next records of a partition, of all applications; of internal topics too.
   * @throws PlatformError `TOPIC_NOT_FOUND`, `OPTION_INVALID` for the partition, `DATABASE_*`
   */
  async readPartition(query: PartitionQuery): Promise<PartitionPage> {
    return readPartition(this.#db, await this.#findShard(query), query);
  }

  /** Opens a reader of what is appended to several topics from now on. It has nothing to close. */
  openLiveReader(): LiveReader {
    return new LiveReader(this.#db, this.#topics);
  }

  /** Finds where the last records of a partition begin. @throws as `readPartition` */
  async findTail(partition: PartitionName, size: TailSize): Promise<PartitionEnds> {
    return findTail(this.#db, (await this.#findShard(partition)).shard, size);
  }

  /** Finds the records of keys in a range of a partition. @throws as `readPartition` */
  async findByKey(query: KeyQuery): Promise<Pick<PartitionPage, 'records' | 'first'>> {
    return findByKey(this.#db, await this.#findShard(query), query);
  }

  /** Finds the newest record of each key in a range of a partition. @throws as `readPartition` */
  async findNewestOfKeys(query: NewestQuery): Promise<NewestOfKeys> {
    return findNewestOfKeys(this.#db, await this.#findShard(query), query);
  }

  async #findShard({ topic, partition }: PartitionName): Promise<ShardName> {
    const shard = shardOf(await this.#topics.get(this.#db, topic), partition);
    return { shard, topic, partition };
  }

  /**
   * Creates the group if it is missing. An existing group keeps its offsets.
   * @param startOffset `offsetBeginning`, `offsetEnd` or an offset, for every partition
   */
  async ensureGroup({ topic, groupId }: GroupRequest, startOffset: bigint): Promise<void> {
    await this.#db.transaction(async (tx) => {
      const found = (await this.#topics.ensure(tx, [topic])).get(topic);
      if (found) await ensureGroup(tx, found, { groupId, startOffset });
    });
  }

  /**
   * Reads the next records of a group, which are consumed in the caller's transaction.
   * @throws PlatformError `DATABASE_*`, `EVENT_INVALID`
   */
  readGroupBatch(tx: Transaction, request: GroupBatchRequest): Promise<GroupBatch> {
    return readGroupBatch(tx, this.#topics, request);
  }

  /**
   * Sets the offsets of a group by partition. Use it for groups without consumers: running ones
   * continue from their own position, and commit that.
   * @throws PlatformError `TOPIC_NOT_FOUND`, `REQUEST_INVALID` when the group does not exist,
   *   `OPTION_INVALID` when a partition does not exist
   */
  async seek({ topic, groupId }: GroupRequest, to: ReadonlyMap<number, bigint>): Promise<void> {
    await this.#db.transaction(async (tx) => {
      const found = await this.#topics.get(tx, topic);
      const group = await findGroup(tx, found, groupId);
      if (group === undefined) {
        const message = `topic '${topic}' has no group '${groupId}'`;
        throw new PlatformError('REQUEST_INVALID', message);
      }
      const offsets = new Map<number, bigint>();
      for (const [partition, offset] of to) offsets.set(shardOf(found, partition), offset);
      await seekGroup(tx, group, offsets);
    });
  }

  /** Deletes a group. Its consumers cannot commit records in hand any more. */
  async deleteGroup({ topic, groupId }: GroupRequest): Promise<void> {
    await deleteGroup(this.#db, await this.#topics.get(this.#db, topic), groupId);
  }

  /** Returns the lag of a topic's groups, or of one of them. None if the topic does not exist. */
  lag(topic: string, groupId?: string): Promise<readonly GroupLag[]> {
    return readProgress(this.#db, { topic, groupId });
  }

  /**
   * Reads one page of groups with their lag.
   * @throws PlatformError `REQUEST_INVALID`, `DATABASE_*`
   */
  listGroups(query: GroupQuery): Promise<GroupPage> {
    return listGroups(this.#db, this.#rules, query);
  }

  /** Joins a group, as the driver does for clients. */
  subscribe(request: LogSubscribeRequest): LogSubscription {
    const own = {
      db: this.#db,
      topics: this.#topics,
      appends: this.#appends,
      groups: this.#groups,
    };
    return new LogSubscription({ ...request, ...own });
  }

  /** Starts a new segment if that is due, and drops segments past retention. */
  maintain(options?: MaintenanceOptions): Promise<MaintenanceOutcome> {
    return maintainSegments(this.#db, options);
  }

  /** Checks that the database answers. @throws PlatformError `DATABASE_*` */
  ping(): Promise<void> {
    return this.#db.ping();
  }

  /** Closes what the log has opened. Subscriptions are closed by their owners. Idempotent. */
  async close(): Promise<void> {
    await Promise.all([this.#appends.close(), this.#groups.close()]);
  }
}

/** @throws PlatformError `OPTION_INVALID` */
function shardOf({ name, shards }: LogTopic, partition: number): number {
  const shard = shards[partition];
  if (shard !== undefined) return shard;
  throw new PlatformError('OPTION_INVALID', `topic '${name}' has no partition ${partition}`);
}

/**
 * Caches one partitioner per topic, which remembers the partition of the last record without a key.
 */
function cachePartitioners(name: PartitionerName): (topic: string) => Partitioner {
  const created = new Map<string, Partitioner>();
  return (topic) => {
    const partitioner = created.get(topic) ?? createPartitioner(name);
    created.set(topic, partitioner);
    return partitioner;
  };
}
