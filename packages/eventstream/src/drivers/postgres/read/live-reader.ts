import type { Queryable, Statement } from '@posthaste/postgres';
import type { StoredRecord } from '../../../record.js';
import { fromStoredHeaders, fromStoredList, type HeadersRow } from '../storage/stored-headers.js';
import type { TopicDirectory } from '../storage/topic-directory.js';
import { mergeInTime } from './merged-records.js';
import { readableEnds } from './read-store.js';

/** Columns of records by which a reader chooses. */
export interface RecordTraits {
  readonly topic: string;
  /** The header `ce_type`; null for a record without one. */
  readonly name: string | null;
  /** Null for a record that names no application. */
  readonly application: string | null;
}

/** A read of what is new. */
export interface LiveRead {
  /** Topics to look at. Default: all that are followed. */
  readonly topics?: ReadonlySet<string> | undefined;
  /** True for records to read. Keys, headers and values of the others stay in the database. */
  readonly isWanted: (traits: RecordTraits) => boolean;
  /** Gets the records of one topic, in the order of their times. */
  readonly onRecords: (records: readonly StoredRecord[]) => void;
  /** Keys and values after which no further topic is read. One topic may exceed it. */
  readonly maxBytes: number;
}

/** Outcome of a read. */
export interface LiveProgress {
  /** True if there is more to read at once. */
  readonly isBehind: boolean;
  /** True if appenders are at work whose records cannot be read yet. */
  readonly isGrowing: boolean;
}

interface Position {
  readonly topic: string;
  readonly partition: number;
  readonly shard: number;
  next: bigint;
}

/** Range of a shard that one read looks at. */
interface Range {
  readonly position: Position;
  readonly end: bigint;
}

/** Most offsets of a shard, and most shards, that one read looks at. */
const maxScanned = 1_000n;
const maxShards = 200;
/** Least bytes that are read of one shard. */
const minShardBytes = 65_536;

const rangeCondition = `
  where shard_id = e.shard and "offset" >= e.low and "offset" < e.high and segment >= (
    select coalesce(max(f.segment), 0) from eventstream.segment_start f
    where f.shard_id = e.shard and f.first_offset <= e.low
  )`;

/** Index: `record_offset`. Reads neither keys nor values. */
const traitsStatement: Statement = {
  name: 'eventstream_live_traits',
  text: `
select e.shard as shard_id, r.name, r.application
from unnest($1::integer[], $2::bigint[], $3::bigint[]) as e(shard, low, high)
cross join lateral (
  select distinct name, application from eventstream.record${rangeCondition}
) as r`,
};

/** Index: `record_offset`. Values are measured without being read. */
const recordsStatement: Statement = {
  name: 'eventstream_live_records',
  text: `
select r.shard_id, r."offset", r.appended_at, r.name, r.key, r.value, r.headers, r.application
from unnest($1::integer[], $2::bigint[], $3::bigint[]) as e(shard, low, high)
cross join lateral (
  select * from (
    select *, sum(bytes) over (order by "offset") - bytes as bytes_before
    from (
      select octet_length(coalesce(key, '')) + octet_length(coalesce(value, '')) as bytes,
        shard_id, "offset", appended_at, name, key, value, headers, application
      from eventstream.record${rangeCondition}
        and exists (
          select from unnest($5::text[], $6::text[]) as c(name, application)
          where c.name is not distinct from record.name
            and c.application is not distinct from record.application
        )
    ) as found
  ) as measured
  where bytes_before < $4
) as r order by r.shard_id, r."offset"`,
};

interface TraitsRow extends Pick<RecordTraits, 'name' | 'application'> {
  readonly shard_id: number;
}

interface RecordRow extends HeadersRow {
  readonly shard_id: number;
  readonly offset: bigint;
  readonly appended_at: Date;
  readonly key: Buffer | null;
}

/**
 * Reader of topics from now on, which keeps its positions in memory. It reads internal topics too, and
 * records of all applications: its user decides who gets them. One read at a time.
 */
export class LiveReader {
  readonly #db: Queryable;
  readonly #directory: TopicDirectory;
  readonly #positions = new Map<string, readonly Position[]>();

  constructor(db: Queryable, directory: TopicDirectory) {
    this.#db = db;
    this.#directory = directory;
  }

  /** Topics that are followed. */
  get topics(): string[] {
    return [...this.#positions.keys()];
  }

  follows(topic: string): boolean {
    return this.#positions.has(topic);
  }

  /**
   * Follows the topics that exist, from now on or from their beginning. What is committed after the
   * promise has resolved is read. A topic that is followed keeps its position.
   * @throws PlatformError `DATABASE_*`
   */
  async follow(topics: readonly string[], from: 'beginning' | 'end'): Promise<void> {
    const missing = topics.filter((topic) => !this.follows(topic));
    if (missing.length === 0) return;
    const found = [...(await this.#directory.find(this.#db, missing)).values()];
    const shards = found.flatMap((topic) => topic.shards);
    const ends = from === 'end' ? await readableEnds(this.#db, shards) : undefined;
    for (const { name: topic, shards: own } of found) {
      if (this.follows(topic)) continue;
      const positions = own.map((shard, partition): Position => {
        return { topic, partition, shard, next: ends?.get(shard)?.readable ?? 0n };
      });
      this.#positions.set(topic, positions);
    }
  }

  unfollow(topic: string): void {
    this.#positions.delete(topic);
  }

  /** Reads what is new, topic by topic. @throws PlatformError `DATABASE_*` */
  async read(request: LiveRead): Promise<LiveProgress> {
    const { topics } = request;
    const positions = [...this.#positions].flatMap(([topic, own]) =>
      topics === undefined || topics.has(topic) ? own : [],
    );
    if (positions.length === 0) return { isBehind: false, isGrowing: false };
    const shards = positions.map(({ shard }) => shard);
    const ends = await readableEnds(this.#db, shards);
    const isGrowing = [...ends.values()].some(({ drawn, readable }) => drawn > readable);
    const grown = positions.filter(({ shard, next }) => (ends.get(shard)?.readable ?? 0n) > next);
    if (grown.length === 0) return { isBehind: false, isGrowing };
    const ranges = grown.slice(0, maxShards).map((position): Range => {
      const readable = ends.get(position.shard)?.readable ?? 0n;
      const last = position.next + maxScanned;
      return { position, end: readable < last ? readable : last };
    });
    await this.#readRanges(ranges, request);
    const isBehind = grown.some(({ shard, next }) => next < (ends.get(shard)?.readable ?? 0n));
    return { isBehind, isGrowing };
  }

  async #readRanges(ranges: readonly Range[], request: LiveRead): Promise<void> {
    const { isWanted, onRecords, maxBytes } = request;
    const { rows } = await this.#db.query<TraitsRow>(traitsStatement, toColumns(ranges));
    const found = Map.groupBy(rows, ({ shard_id }) => shard_id);
    let bytes = 0;
    for (const [topic, own] of Map.groupBy(ranges, ({ position }) => position.topic)) {
      const traits = own.flatMap(({ position }) => found.get(position.shard) ?? []);
      const wanted = distinct(traits).filter((each) => isWanted({ ...each, topic }));
      if (wanted.length === 0) {
        for (const { position, end } of own) position.next = end;
        continue;
      }
      // The topics that are left out here come first in the next read.
      if (bytes >= maxBytes) continue;
      this.#moveLast(topic);
      const records = await this.#readWanted(own, wanted, maxBytes);
      bytes += records.reduce((sum, record) => sum + bytesOf(record), 0);
      if (records.length > 0) onRecords(mergeInTime(records));
    }
  }

  /** Reads the wanted records of one topic, and moves its positions behind them. */
  async #readWanted(
    ranges: readonly Range[],
    wanted: readonly Omit<RecordTraits, 'topic'>[],
    maxBytes: number,
  ): Promise<StoredRecord[]> {
    const shardBytes = Math.max(minShardBytes, Math.ceil(maxBytes / ranges.length));
    const { rows } = await this.#db.query<RecordRow>(recordsStatement, [
      ...toColumns(ranges),
      shardBytes,
      wanted.map(({ name }) => name),
      wanted.map(({ application }) => application),
    ]);
    const found = Map.groupBy(rows, ({ shard_id }) => shard_id);
    return ranges.flatMap(({ position, end }) => {
      const records = (found.get(position.shard) ?? []).map((row) => toRecord(row, position));
      const isCut = records.reduce((sum, record) => sum + bytesOf(record), 0) >= shardBytes;
      const last = records.at(-1);
      position.next = isCut && last ? last.offset + 1n : end;
      return records;
    });
  }

  /** Has the other topics read before this one the next time. */
  #moveLast(topic: string): void {
    const positions = this.#positions.get(topic);
    if (positions === undefined) return;
    this.#positions.delete(topic);
    this.#positions.set(topic, positions);
  }
}

function toColumns(ranges: readonly Range[]): unknown[] {
  return [
    ranges.map(({ position }) => position.shard),
    ranges.map(({ position }) => position.next),
    ranges.map(({ end }) => end),
  ];
}

function distinct(rows: readonly TraitsRow[]): Omit<RecordTraits, 'topic'>[] {
  const byTraits = new Map(
    rows.map(({ name, application }) => [
      JSON.stringify([name, application]),
      { name, application },
    ]),
  );
  return [...byTraits.values()];
}

function toRecord(row: RecordRow, { topic, partition }: Position): StoredRecord {
  const { offset, appended_at, key, value } = row;
  const timestampMs = appended_at.getTime();
  const headers = fromStoredHeaders(row);
  const record = { topic, partition, offset, key, value, headers, timestampMs };
  const rawHeaders = fromStoredList(row);
  return rawHeaders ? { ...record, rawHeaders } : record;
}

function bytesOf({ key, value }: StoredRecord): number {
  return (key?.length ?? 0) + (value?.length ?? 0);
}
