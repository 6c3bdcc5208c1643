import type { Queryable } from '@posthaste/postgres';
import type { StoredRecord } from '../../../record.js';
import type { TopicDirectory } from '../storage/topic-directory.js';
import {
  type NamedTraits,
  type Position,
  type Range,
  readTraits,
  readWanted,
  type TraitsRow,
} from './live-queries.js';
import { mergeInTime } from './merged-records.js';
import { readableEnds } from './read-store.js';

/** Columns of records by which a reader chooses. */
export interface RecordTraits extends NamedTraits {
  readonly topic: string;
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

/** Most offsets of a shard, and most shards, that one read looks at. */
const maxScanned = 1_000n;
const maxShards = 200;
/** Least bytes that are read of one shard. */
const minShardBytes = 65_536;

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
    const rows = await readTraits(this.#db, ranges);
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
    wanted: readonly NamedTraits[],
    maxBytes: number,
  ): Promise<StoredRecord[]> {
    const shardBytes = Math.max(minShardBytes, Math.ceil(maxBytes / ranges.length));
    const found = await readWanted(this.#db, ranges, { wanted, shardBytes });
    return ranges.flatMap(({ position, end }) => {
      const records = found.get(position.shard) ?? [];
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

function distinct(rows: readonly TraitsRow[]): NamedTraits[] {
  const byTraits = new Map(
    rows.map(({ name, application }) => [
      JSON.stringify([name, application]),
      { name, application },
    ]),
  );
  return [...byTraits.values()];
}

function bytesOf({ key, value }: StoredRecord): number {
  return (key?.length ?? 0) + (value?.length ?? 0);
}
