import { PlatformError } from '@posthaste/contracts';
import type { Queryable, Transaction } from '@posthaste/postgres';
import { isDeadLetterTopic, isRetryTopic } from '../../../rules/topic-name.js';

/** A topic of the log. */
export interface LogTopic {
  readonly id: number;
  readonly name: string;
  /** Ids of the shards, by partition. */
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
 * Topics by name, remembered: they are never changed and never removed. A topic that a transaction
 * made is remembered for that transaction only, because it may be rolled back.
 */
export class TopicDirectory {
  readonly #partitions: number;
  readonly #known = new Map<string, LogTopic>();
  readonly #made = new WeakMap<Queryable, Map<string, LogTopic>>();

  /** @param partitions of topics made here */
  constructor(partitions: number) {
    checkPartitions(partitions);
    this.#partitions = partitions;
  }

  /** The topics that exist of these. */
  async find(db: Queryable, names: readonly string[]): Promise<ReadonlyMap<string, LogTopic>> {
    const made = this.#made.get(db);
    const topics = new Map<string, LogTopic>();
    const missing: string[] = [];
    for (const name of names) {
      const topic = this.#known.get(name) ?? made?.get(name);
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

  /** Names of all topics but those of retries and dead letters, which are a group's own affair. */
  async listOwn(db: Queryable): Promise<string[]> {
    const { rows } = await db.query<{ name: string }>(namesStatement);
    return rows
      .map(({ name }) => name)
      .filter((name) => !isRetryTopic(name) && !isDeadLetterTopic(name));
  }

  /** @throws PlatformError `TOPIC_NOT_FOUND` */
  async get(db: Queryable, name: string): Promise<LogTopic> {
    const topic = (await this.find(db, [name])).get(name);
    if (topic) return topic;
    throw new PlatformError('TOPIC_NOT_FOUND', `there is no topic ${name}`);
  }

  /**
   * The topics, made in `tx` where missing.
   * @throws PlatformError `EVENT_INVALID` for a name, `OPTION_INVALID` for a number
   */
  async ensure(
    tx: Transaction,
    names: readonly string[],
    partitions: number = this.#partitions,
  ): Promise<ReadonlyMap<string, LogTopic>> {
    const topics = new Map(await this.find(tx, names));
    // In one order: two transactions that make the same topics do not wait for each other.
    const missing = [...new Set(names)].filter((name) => !topics.has(name)).sort();
    if (missing.length === 0) return topics;
    checkPartitions(partitions);
    for (const name of missing) {
      checkName(name);
      await tx.query('select eventstream.create_topic($1, $2)', [name, partitions]);
    }
    const made = this.#made.get(tx) ?? new Map<string, LogTopic>();
    this.#made.set(tx, made);
    for (const topic of await readTopics(tx, missing)) {
      made.set(topic.name, topic);
      topics.set(topic.name, topic);
    }
    return topics;
  }
}

async function readTopics(db: Queryable, names: readonly string[]): Promise<TopicRow[]> {
  const { rows } = await db.query<TopicRow>(findStatement, [names]);
  return rows;
}

function checkPartitions(partitions: number): void {
  if (Number.isInteger(partitions) && partitions >= 1 && partitions <= maxPartitions) return;
  throw new PlatformError('OPTION_INVALID', `a topic of ${partitions} partitions`);
}

function checkName(name: string): void {
  if (name.length >= 1 && name.length <= maxNameLength && !name.includes('\0')) return;
  const message = `a topic's name has 1 to ${maxNameLength} characters`;
  throw new PlatformError('EVENT_INVALID', message, { details: { field: 'topic' } });
}
