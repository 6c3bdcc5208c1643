import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs, internalTopics, Semaphore, toChannelSegment } from '@posthaste/contracts';
import type { LiveReader, PostgresLog, RecordTraits, StoredRecord } from '@posthaste/eventstream';
import { type Interest, MirrorInterests } from './mirror-interests.js';

/** Log that is mirrored. */
export type MirroredLog = Pick<
  PostgresLog,
  'openLiveReader' | 'listTopics' | 'countTopics' | 'watchAll'
>;

/** Options of a `MirrorTail`. */
export interface MirrorTailOptions {
  readonly log: MirroredLog;
  /** True while somebody on this node is subscribed. */
  readonly isSubscribed: (interest: Interest) => boolean;
  readonly isWanted: (traits: RecordTraits) => boolean;
  readonly onRecords: (records: readonly StoredRecord[]) => void;
  /** Called with each error. The read is tried again. */
  readonly onError: (error: unknown) => void;
  /** Longest time until a record is noticed whose notification is lost, in ms. Default 1,000. */
  readonly pollMs?: number | undefined;
  /** Time from the question for an interest to its subscription, at most, in ms. Default 15,000. */
  readonly graceMs?: number | undefined;
}

/** Bytes of events that are in memory at a time, unless one event has more. */
const maxPageBytes = 262_144;
/** Shortest time between two reads, in ms, however many notifications come. */
const minPauseMs = 10;
/** Wait while appenders are at work whose records cannot be read yet, in ms. */
const growingMs = 50;
const retry = { initialMs: 100, maxMs: 2_000 };

/**
 * Reader of the topics that subscribers of this node are interested in. Without interests it does
 * nothing, and knows nothing.
 *
 * A topic that was not there when the topics were listed is read from its beginning: all that is in it is
 * newer than the list.
 */
export class MirrorTail {
  readonly #options: MirrorTailOptions;
  readonly #interests: MirrorInterests;
  /** Segments by topic; undefined until they were listed. */
  #topics: Map<string, string> | undefined;
  #topicCount = 0;
  #reader: LiveReader;
  readonly #aligning = new Semaphore(1);
  readonly #ended = new AbortController();
  /** Topics that have grown; undefined for all. */
  #hinted: Set<string> | undefined;
  #isListOld = false;
  #isWoken = false;
  #wake: (() => void) | undefined;
  #polledAt = 0;
  #running: Promise<void> | undefined;

  constructor(options: MirrorTailOptions) {
    const { isSubscribed, graceMs = 15_000 } = options;
    this.#options = options;
    this.#interests = new MirrorInterests(isSubscribed, graceMs);
    this.#reader = options.log.openLiveReader();
  }

  /** True if one interest more of the realm is one too many. */
  isFull(realm: string): boolean {
    return this.#interests.isFull(realm);
  }

  /** True if somebody of the realm may be interested in any event of the topic. */
  isInterested(realm: string, topic: string): boolean {
    return this.#interests.isInterested(realm, topic);
  }

  /**
   * Follows the topics of an interest until nobody is subscribed. What is committed after the promise
   * has resolved is read. @throws PlatformError `DATABASE_*`
   */
  async follow(interest: Interest): Promise<void> {
    this.#interests.add(interest);
    this.#running ??= this.#run();
    if (this.#topics === undefined || this.#findUnfollowed(this.#topics).length > 0) {
      await this.#align();
    }
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#ended.abort();
    this.#wake?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { log, onError } = this.#options;
    const { signal } = this.#ended;
    const unwatch = log.watchAll((topic) => this.#onHint(topic));
    let failures = 0;
    for (;;) {
      this.#interests.sweep();
      if (signal.aborted || this.#interests.size === 0) break;
      try {
        const ms = await this.#read();
        failures = 0;
        await this.#sleep(ms);
      } catch (error) {
        failures += 1;
        if (!signal.aborted) onError(error);
        this.#hinted = undefined;
        const ms = backoffMs(failures, retry, Math.random());
        await sleep(ms, undefined, { signal }).catch(() => undefined);
      }
    }
    unwatch();
    this.#topics = undefined;
    this.#reader = log.openLiveReader();
    this.#running = undefined;
  }

  /** Reads what is new. Returns the time until the next read, in ms. */
  async #read(): Promise<number> {
    const { log, isWanted, onRecords, pollMs = 1_000 } = this.#options;
    const now = performance.now();
    const topics = now - this.#polledAt < pollMs ? this.#hinted : undefined;
    this.#hinted = new Set();
    this.#isWoken = false;
    if (topics === undefined) {
      if ((await log.countTopics()) !== this.#topicCount) this.#isListOld = true;
      this.#polledAt = now;
    }
    if (this.#isListOld) await this.#align();
    for (const topic of this.#reader.topics) {
      if (!this.#interests.includes(topic, this.#topics?.get(topic))) this.#reader.unfollow(topic);
    }
    const request = { topics, isWanted, onRecords, maxBytes: maxPageBytes };
    const { isBehind, isGrowing } = await this.#reader.read(request);
    if (!isBehind && !isGrowing) return pollMs;
    if (topics === undefined) this.#hinted = undefined;
    else for (const topic of topics) this.#hinted?.add(topic);
    return isBehind ? 0 : growingMs;
  }

  /** Lists the topics if that is due, and follows those that are wanted. One at a time. */
  #align(): Promise<void> {
    return this.#aligning.run(async () => {
      if (this.#topics === undefined || this.#isListOld) await this.#listTopics(this.#topics);
      await this.#reader.follow(this.#findUnfollowed(this.#topics ?? new Map()), 'end');
    });
  }

  async #listTopics(known: ReadonlyMap<string, string> | undefined): Promise<void> {
    const { log } = this.#options;
    this.#isListOld = false;
    // Before the list: a topic that comes meanwhile has it made again.
    const count = await log.countTopics();
    const names = await log.listTopics('all');
    const topics = new Map(names.map((name) => [name, toChannelSegment(name)]));
    const created = new Map([...topics].filter(([name]) => known?.has(name) === false));
    await this.#reader.follow(this.#findUnfollowed(created), 'beginning');
    this.#topics = topics;
    this.#topicCount = count;
  }

  #findUnfollowed(topics: ReadonlyMap<string, string>): string[] {
    return [...topics]
      .filter(([topic, segment]) => this.#interests.includes(topic, segment))
      .map(([topic]) => topic)
      .filter((topic) => !this.#reader.follows(topic));
  }

  #onHint(topic: string | undefined): void {
    if (topic === undefined) this.#hinted = undefined;
    else if (this.#reader.follows(topic)) this.#hinted?.add(topic);
    else if (this.#topics === undefined || this.#topics.has(topic) || internalTopics.has(topic)) {
      return;
    } else {
      // A topic that is new.
      this.#hinted = undefined;
      this.#isListOld = true;
    }
    this.#isWoken = true;
    this.#wake?.();
  }

  /** Waits for the time, or less if a topic grows, and at least for the shortest pause. */
  async #sleep(ms: number): Promise<void> {
    // What was delivered goes out to the sockets meanwhile.
    await sleep(Math.min(ms, minPauseMs));
    if (ms <= minPauseMs || this.#isWoken || this.#ended.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms - minPauseMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }
}
