import { setTimeout as sleep } from 'node:timers/promises';
import { PlatformError, Semaphore } from '@posthaste/contracts';
import {
  type EventPage,
  type EventQuery,
  followEvents,
  type StoredRecord,
} from '@posthaste/eventstream';
import type { ReadableLog } from './event-reader.js';
import { FollowerStream } from './follower-stream.js';

export interface FollowerOptions {
  /** Most at a time. */
  readonly maxFollowers: number;
  /** See `FollowerStreamOptions`. Default 15,000. */
  readonly heartbeatMs?: number | undefined;
  /** See `FollowerStreamOptions`. Default 30,000. */
  readonly stallMs?: number | undefined;
  /** New events are looked for at least this often, in ms, hints aside. Default 5,000. */
  readonly pollMs?: number | undefined;
  /** Whether a follower may go on is asked this often, in ms. Default 15,000. */
  readonly recheckMs?: number | undefined;
}

/** What a follower is sent. */
export interface FollowRequest {
  readonly query: EventQuery;
  /** The text of a record, in one line. */
  readonly show: (record: StoredRecord) => string;
  /** Whether its client may still follow: a key may be revoked meanwhile. Must not throw. */
  readonly mayGoOn: () => Promise<boolean>;
  /** Told of what ended it early. */
  readonly onError: (error: unknown) => void;
}

/** What one follower holds in memory, but for one event that goes over it, in bytes. */
const maxPageBytes = 262_144;
const maxPageRecords = 500;
/** Readings under way at a time, whatever the number of followers: they share the database. */
const maxReadings = 2;
/** Wait before a reading that failed is tried again, in ms. */
const retryMs = 1_000;

/** Clients that follow the log, each from its own place and with its own pace. */
export class EventFollowers {
  readonly #log: ReadableLog;
  readonly #options: FollowerOptions;
  readonly #readings = new Semaphore(maxReadings);
  readonly #streams = new Set<FollowerStream>();
  /** On their way in. */
  #arriving = 0;
  #closed = false;

  constructor(log: ReadableLog, options: FollowerOptions) {
    this.#log = log;
    this.#options = options;
  }

  /** Followers at this moment. */
  get count(): number {
    return this.#streams.size + this.#arriving;
  }

  /**
   * Starts to follow: gives server-sent events that go on until the client leaves.
   * @throws PlatformError `TOPIC_NOT_FOUND`, `REQUEST_INVALID`, `DATABASE_*`; `OVERLOADED` when there
   *   are too many, `STOPPING`
   */
  async follow(request: FollowRequest): Promise<FollowerStream> {
    const { maxFollowers, heartbeatMs = 15_000, stallMs = 30_000 } = this.#options;
    const { recheckMs = 15_000 } = this.#options;
    if (this.#closed) throw new PlatformError('STOPPING', 'the server is stopping');
    if (this.count >= maxFollowers) {
      throw new PlatformError('OVERLOADED', `${maxFollowers} clients follow events already`);
    }
    this.#arriving += 1;
    try {
      const position = await this.#begin(request.query);
      const stream = new FollowerStream({ heartbeatMs, stallMs, position });
      this.#streams.add(stream);
      const recheck = setInterval(() => {
        void request.mayGoOn().then((may) => may || stream.end());
      }, recheckMs);
      stream.once('close', () => {
        clearInterval(recheck);
        this.#streams.delete(stream);
      });
      void this.#run(stream, { ...request, query: { ...request.query, cursor: position } });
      // It may have been closed meanwhile.
      if (this.#closed) stream.end();
      return stream;
    } finally {
      this.#arriving -= 1;
    }
  }

  /** Ends all: clients come back by themselves, elsewhere or after the restart. */
  close(): void {
    this.#closed = true;
    for (const stream of this.#streams) stream.end();
  }

  /** Where it begins. Whoever begins at the end must not miss what comes before its first event. */
  async #begin(query: EventQuery): Promise<string> {
    const page = await this.#readings.run(() => this.#log.listEvents({ ...query, limit: 1 }));
    return query.cursor ?? page.cursorAfter(-1);
  }

  async #run(stream: FollowerStream, { query, show, onError }: FollowRequest): Promise<void> {
    const { over: signal } = stream;
    const log = {
      listEvents: async (asked: EventQuery): Promise<EventPage> => {
        const room = { limit: maxPageRecords, maxBytes: maxPageBytes };
        const page = await this.#read({ ...asked, ...room }, signal);
        if (page.records.length === 0) stream.moveTo(page.next);
        return page;
      },
      watch: (topic: string, onAppend: () => void) => this.#log.watch(topic, onAppend),
    };
    try {
      const { pollMs = 5_000 } = this.#options;
      for await (const page of followEvents(log, query, { signal, pollMs })) {
        for (const [index, record] of page.records.entries()) {
          await stream.send(show(record), page.cursorAfter(index));
        }
      }
    } catch (error) {
      if (!signal.aborted) onError(error);
    } finally {
      stream.end();
    }
  }

  /** A database that is away for a while does not end what follows it. */
  async #read(query: EventQuery, signal: AbortSignal): Promise<EventPage> {
    for (;;) {
      try {
        return await this.#readings.run(() => this.#log.listEvents(query));
      } catch (error) {
        const canWait = error instanceof PlatformError && error.retryable && !signal.aborted;
        if (!canWait) throw error;
        await sleep(retryMs, undefined, { signal });
      }
    }
  }
}
