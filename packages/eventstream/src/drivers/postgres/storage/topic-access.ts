import {
  type ApplicationRules,
  type Applications,
  ExpiringCache,
  includesApplication,
  internalTopics,
  noApplicationRules,
  platformTopics,
} from '@posthaste/contracts';
import type { Queryable, Statement } from '@posthaste/postgres';
import { type LogTopic, topicNotFound } from './topic-directory.js';

/**
 * Which applications may see which topics.
 *
 * - A topic that a rule of the configuration maps to an application is for that application only.
 *   Records without an application in it belong to that application.
 * - Any other topic is shared. An application sees it once one of its records was appended to it
 *   (table `topic_application`), and its own records only. The platform's own topics it sees always.
 * - Nobody sees the internal topics of the platform.
 * - Whoever may see all applications sees all topics and records.
 */

/** An application, and a topic that it has published to. */
export interface TopicApplication {
  readonly topic: string;
  readonly application: string;
}

/** Rights to the records of a topic. */
export interface TopicView {
  /** True if records without an application are among those that may be read. */
  readonly includesUnnamed: boolean;
}

/** Applications on whose behalf somebody reads. */
export interface Readers {
  /** Applications whose records are read. */
  readonly within: Applications;
  /**
   * True: also records without an application, of topics that no rule maps to an application. Only
   * for readers who may see all. Default false.
   */
  readonly withUnnamed?: boolean | undefined;
}

/** Most pairs that a process keeps in memory. */
const maxKnown = 20_000;
/** Time for which a pair is known, in ms: those of an application that is deleted must come back. */
const knownMs = 300_000;

/** Index: `topic_application_pkey`. */
const findStatement: Statement = {
  name: 'eventstream_topic_applications',
  text: `
select t.name as topic, a.application
from unnest($1::text[], $2::text[]) as p(topic, application)
join eventstream.topic t on t.name = p.topic
join eventstream.topic_application a on a.topic_id = t.id and a.application = p.application`,
};

/** In the order of the key, so that two transactions that insert the same pairs do not deadlock. */
const insertStatement: Statement = {
  name: 'eventstream_topic_application_insert',
  text: `
insert into eventstream.topic_application (application, topic_id)
select * from unnest($1::text[], $2::integer[]) order by 1, 2 on conflict do nothing`,
};

/** Index: `topic_application_pkey`, for the applications of the reader. */
const listStatement: Statement = {
  name: 'eventstream_visible_topics',
  text: `
select t.name from eventstream.topic t
where t.name <> all ($5::text[]) and (
  $1::text[] is null or t.name ~ $2 or (t.name ~ $3) is not true and (
    t.name = any($4::text[]) or exists (
      select from eventstream.topic_application a
      where a.topic_id = t.id and a.application = any($1)
    )))
order by t.name`,
};

/** Index: `topic_application_pkey`. */
const countStatement: Statement = {
  name: 'eventstream_topic_application_count',
  text: `
select application, count(*)::int as topics from eventstream.topic_application
where application = any($1) group by application`,
};

/** Decides which applications see which topics, and stores which have published to them. */
export class TopicAccess {
  readonly #rules: ApplicationRules;
  readonly #known = new ExpiringCache<true>(maxKnown);
  /** Pairs that a transaction has stored: they are known once it has committed. */
  readonly #stored = new WeakMap<Queryable, Set<string>>();

  constructor(rules: ApplicationRules = noApplicationRules) {
    this.#rules = rules;
  }

  /** True if the topic belongs to an application that is none of these. */
  isForeign(topic: string, within: Applications): boolean {
    const owner = this.#rules.ownerOf(topic);
    return owner !== undefined && !includesApplication(within, owner);
  }

  /** Returns the names of the topics that these may see, in the order of the database. */
  async list(db: Queryable, within: Applications): Promise<string[]> {
    const { rows } = await db.query<{ name: string }>(listStatement, [
      within === 'all' ? null : within,
      this.#rules.ownedBy(within),
      this.#rules.matched,
      [...platformTopics],
      [...internalTopics],
    ]);
    return rows.map(({ name }) => name);
  }

  /**
   * Returns what the readers may see of each topic, in the given order.
   * @throws PlatformError `TOPIC_NOT_FOUND` for a topic that they may not see, exactly as for one
   *   that does not exist
   */
  async viewsOf(
    db: Queryable,
    topics: readonly string[],
    { within, withUnnamed = false }: Readers,
  ): Promise<TopicView[]> {
    const owners = topics.map((topic) => this.#rules.ownerOf(topic));
    const isSeen = await this.#findShared(db, topics, { within, withUnnamed });
    return topics.map((topic, index) => {
      const owner = owners[index];
      if (internalTopics.has(topic)) throw topicNotFound(topic);
      if (owner === undefined && isSeen(topic)) return { includesUnnamed: withUnnamed };
      if (owner !== undefined && includesApplication(within, owner)) {
        return { includesUnnamed: true };
      }
      throw topicNotFound(topic);
    });
  }

  /** Returns a function that is true for the shared topics that the readers may see. */
  async #findShared(
    db: Queryable,
    topics: readonly string[],
    { within, withUnnamed }: Required<Readers>,
  ): Promise<(topic: string) => boolean> {
    if (within === 'all' || withUnnamed) return () => true;
    const shared = topics.filter(
      (topic) => this.#rules.ownerOf(topic) === undefined && !platformTopics.has(topic),
    );
    const pairs = shared.flatMap((topic) => within.map((application) => ({ topic, application })));
    const isNew = new Set((await this.findNew(db, pairs)).map(toKey));
    return (topic) =>
      platformTopics.has(topic) ||
      within.some((application) => !isNew.has(toKey({ topic, application })));
  }

  /** Returns the pairs of which the application has not published to the topic. */
  async findNew(
    db: Queryable,
    pairs: readonly TopicApplication[],
  ): Promise<readonly TopicApplication[]> {
    const now = performance.now();
    const unknown = pairs.filter((pair) => !this.#known.get(toKey(pair), now));
    if (unknown.length === 0) return unknown;
    const { rows } = await db.query<TopicApplication>(findStatement, [
      unknown.map(({ topic }) => topic),
      unknown.map(({ application }) => application),
    ]);
    const found = new Set(rows.map(toKey));
    const stored = this.#stored.get(db);
    for (const key of found) if (!stored?.has(key)) this.#known.set(key, true, now + knownMs);
    return unknown.filter((pair) => !found.has(toKey(pair)));
  }

  /** Returns the number of shared topics to which each of these applications has published. */
  async count(db: Queryable, applications: readonly string[]): Promise<Map<string, number>> {
    const { rows } = await db.query<{ application: string; topics: number }>(countStatement, [
      applications,
    ]);
    return new Map(rows.map(({ application, topics }) => [application, topics]));
  }

  /**
   * Stores in `tx` that the applications of these records have published to their topics. Costs
   * nothing for pairs that the process knows.
   */
  async store(
    tx: Queryable,
    topics: ReadonlyMap<string, LogTopic>,
    pairs: readonly TopicApplication[],
  ): Promise<void> {
    if (pairs.length === 0) return;
    const unknown = await this.findNew(tx, pairs);
    if (unknown.length === 0) return;
    await tx.query(insertStatement, [
      unknown.map(({ application }) => application),
      unknown.map(({ topic }) => topics.get(topic)?.id),
    ]);
    const stored = this.#stored.get(tx) ?? new Set<string>();
    this.#stored.set(tx, stored);
    for (const pair of unknown) stored.add(toKey(pair));
  }
}

/**
 * Deletes which topics an application has published to, when the application is removed: its name
 * may be given to another one. Other processes know the pairs for five minutes more, and then see
 * that they are gone.
 * @returns the number of topics
 */
export async function removeTopicApplications(db: Queryable, application: string): Promise<number> {
  const remove = 'delete from eventstream.topic_application where application = $1';
  return (await db.query(remove, [application])).rowCount;
}

/** A record's topic and application. */
interface AppendedTo {
  readonly topic: string;
  readonly application?: string | null | undefined;
}

/**
 * Returns the pairs of shared topics and applications of records, each once. Consecutive records
 * mostly have the same, and those of the platform's own topics need none.
 */
export function toTopicApplications(records: Iterable<AppendedTo>): TopicApplication[] {
  const pairs: TopicApplication[] = [];
  const seen = new Set<string>();
  let last: AppendedTo | undefined;
  for (const record of records) {
    const { topic, application } = record;
    if (application === undefined || application === null || platformTopics.has(topic)) continue;
    if (last?.topic === topic && last.application === application) continue;
    last = record;
    const pair = { topic, application };
    if (seen.has(toKey(pair))) continue;
    seen.add(toKey(pair));
    pairs.push(pair);
  }
  return pairs;
}

/** Returns a key of a pair. No topic has a NUL. */
function toKey({ topic, application }: TopicApplication): string {
  return `${topic}\0${application}`;
}
