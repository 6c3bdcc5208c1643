import { internalTopics, PlatformError } from '@posthaste/contracts';
import type { Queryable, Transaction } from '@posthaste/postgres';
import { isDeadLetterTopic, isRetryTopic } from '../../../rules/topic-name.js';

/** A topic of the log. */
export interface LogTopic {
  readonly id: number;
  readonly name: string;
  /** Shard ids by partition. */
  readonly shards: readonly number[];
}

interface TopicRow {
  readonly id: number;
  readonly name: string;
  readonly shards: number[];
}

const findStatement = {
  name: 'eventstream_topics',
  text: `
select t.id, t.name, array_agg(s.id order by s.partition) as shards
from eventstream.topic t join eventstream.shard s on s.topic_id = t.id
where t.name = any($1::text[]) group by t.id`,
};

const namesStatement = {
  name: 'eventstream_topic_names',
  text: 'select name from eventstream.topic order by name',
};

const maxNameLength = 249;
const maxPartitions = 1_024;

/**
 * Cache of topics by name: they are never changed and never removed. A topic that a transaction
 * created is cached for that transaction only, because it may be rolled back.
 */
export class TopicDirectory {
  readonly #partitions: number;
  readonly #known = new Map<string, LogTopic>();
  /** By the transaction that created them. */
  readonly #created = new WeakMap<Queryable, Map<string, LogTopic>>();

  /** @param partitions number of partitions of new topics */
  constructor(partitions: number) {
    checkPartitions(partitions);
    this.#partitions = partitions;
  }

  /** Finds topics by name. Missing ones are left out. */
  async find(db: Queryable, names: readonly string[]): Promise<ReadonlyMap<string, LogTopic>> {
    const created = this.#created.get(db);
    const topics = new Map<string, LogTopic>();
    const missing: string[] = [];
    for (const name of names) {
      const topic = this.#known.get(name) ?? created?.get(name);
      if (topic) topics.set(name, topic);
      else missing.push(name);
    }
    if (missing.length > 0) {
      for (const topic of await readTopics(db, missing)) {
        this.#known.set(topic.name, topic);
        topics.set(topic.name, topic);
      }
    }
    return topics;
  }

  /**
   * Returns the names of all topics but internal ones, and those of retries and dead letters, which
   * belong to a group.
   */
  async listEventTopics(db: Queryable): Promise<string[]> {
    const { rows } = await db.query<{ name: string }>(namesStatement);
    const names = rows.map(({ name }) => name);
    return names.filter(isEventTopic);
  }

  async count(db: Queryable): Promise<number> {
    const count = 'select count(*)::int as topics from eventstream.topic';
    const { rows } = await db.query<{ topics: number }>(count);
    return rows[0]?.topics ?? 0;
  }

  /** @throws PlatformError `TOPIC_NOT_FOUND` */
  async get(db: Queryable, name: string): Promise<LogTopic> {
    const topic = (await this.find(db, [name])).get(name);
    if (topic) return topic;
    throw topicNotFound(name);
  }

  /**
   * Returns topics by name, and creates missing ones in `tx`.
   * @throws PlatformError `EVENT_INVALID` for a name, `OPTION_INVALID` for a number of partitions
   */
  async ensure(
    tx: Transaction,
    names: readonly string[],
    partitions: number = this.#partitions,
  ): Promise<ReadonlyMap<string, LogTopic>> {
    const topics = new Map(await this.find(tx, names));
    // Sorted, so that two transactions that create the same topics do not deadlock.
    const missing = [...new Set(names)].filter((name) => !topics.has(name)).sort();
    if (missing.length === 0) return topics;
    checkPartitions(partitions);
    for (const name of missing) {
      checkName(name);
      await tx.query('select eventstream.create_topic($1, $2)', [name, partitions]);
    }
    const created = this.#created.get(tx) ?? new Map<string, LogTopic>();
    this.#created.set(tx, created);
    for (const topic of await readTopics(tx, missing)) {
      created.set(topic.name, topic);
      topics.set(topic.name, topic);
    }
    return topics;
  }
}

function isEventTopic(name: string): boolean {
  return !isRetryTopic(name) && !isDeadLetterTopic(name) && !internalTopics.has(name);
}

async function readTopics(db: Queryable, names: readonly string[]): Promise<TopicRow[]> {
  const { rows } = await db.query<TopicRow>(findStatement, [names]);
  return rows;
}

/** Returns the error for a topic that does not exist, or that the reader may not see. */
export function topicNotFound(topic: string): PlatformError {
  return new PlatformError('TOPIC_NOT_FOUND', `topic '${topic}' does not exist`);
}

function checkPartitions(partitions: number): void {
  if (Number.isInteger(partitions) && partitions >= 1 && partitions <= maxPartitions) return;
  const message = `a topic cannot have ${partitions} partitions; use 1 to ${maxPartitions}`;
  throw new PlatformError('OPTION_INVALID', message);
}

function checkName(name: string): void {
  if (name.length >= 1 && name.length <= maxNameLength && !name.includes('\0')) return;
  const message = `the name of a topic must have 1 to ${maxNameLength} characters and no NUL`;
  throw new PlatformError('EVENT_INVALID', message, { details: { field: 'topic' } });
}
