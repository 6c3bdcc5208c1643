import { setTimeout as sleep } from 'node:timers/promises';
import { type Applications, PlatformError, Semaphore } from '@posthaste/contracts';
import type { EventPage, EventQuery } from '../../drivers/postgres/read/event-pages.js';
import { type FollowedLog, followEvents } from '../../drivers/postgres/read/follow-events.js';
import type { StoredRecord } from '../../record.js';

/** Options of `EventFollowers`. */
export interface FollowerOptions {
  /** Followers at the same time; more are refused. Default 200. */
  readonly maxFollowers?: number | undefined;
  /**
   * Followers of one caller at the same time; more are refused. Default 50. All callers of one
   * application together may have half of `maxFollowers`.
   */
  readonly maxFollowersPerCaller?: number | undefined;
  /** Longest time until a new event is noticed when its notification is lost, in ms. Default 5,000. */
  readonly pollMs?: number | undefined;
  /** Wait between two calls of `mayContinue`, in ms. Default 250. */
  readonly recheckMs?: number | undefined;
}

/**
 * Connection to one client, in the protocol of the caller: server-sent events, for example. Has its
 * own buffer and pace.
 */
export interface FollowerConnection {
  /** Aborted when nothing can be sent any more: the client has left, or the connection was ended. */
  readonly ended: AbortSignal;
  /**
   * Sends one record. The client continues after it from `cursor` when it connects again.
   * @returns when the client is ready for more, or has left
   */
  send(record: StoredRecord, cursor: string): Promise<void>;
  /** Stores `cursor` for a client that has received everything before it. No record is sent. */
  moveTo(cursor: string): void;
  /** Ends the connection; the client may connect again. Idempotent. */
  end(): void;
  /** Calls the listener when the connection is closed. Streams of Node have this method. */
  once(event: 'close', listener: () => void): unknown;
}

/** Request of one client to follow events. */
export interface FollowRequest<Connection extends FollowerConnection> {
  readonly query: EventQuery;
  /** Name of the caller whose share this follower is counted in: a key or an address, for example. */
  readonly caller: string;
  /** Applications of the caller: each has a share of all followers. Default: all, without a share. */
  readonly applications?: Applications | undefined;
  /** Opens the connection. A client that receives no event continues from `cursor`. */
  readonly open: (cursor: string) => Connection;
  /**
   * True while the client may continue; false when its key is revoked, for example. Must not
   * reject.
   */
  readonly mayContinue: () => Promise<boolean>;
  /** Called with the error that ends the connection early. */
  readonly onError: (error: unknown) => void;
}

/** Somebody who may have a part of all followers: a caller, or an application of a caller. */
interface Share {
  readonly name: string;
  readonly isApplication: boolean;
}

/**
 * Returns the shares that a follower is counted in. An application may have any number of keys, and
 * so must not get a share for each; a caller for all is not counted in any application.
 */
function sharesOf({
  caller,
  applications,
}: Pick<FollowRequest<FollowerConnection>, 'caller' | 'applications'>): Share[] {
  const own = applications === undefined || applications === 'all' ? [] : applications;
  return [
    { name: `caller ${caller}`, isApplication: false },
    ...own.map((each) => ({ name: `application ${each}`, isApplication: true })),
  ];
}

/** Records that one follower holds in memory, in bytes, except for one larger record. */
const maxPageBytes = 262_144;
const maxPageRecords = 500;
/** Reads at the same time, whatever the number of followers: they share the database. */
const maxReads = 2;
/** Wait before a failed read is tried again, in ms. */
const retryMs = 1_000;

/** Clients that follow the log, each from its own position and at its own pace. */
export class EventFollowers {
  readonly #log: FollowedLog;
  readonly #options: FollowerOptions;
  readonly #reads = new Semaphore(maxReads);
  readonly #connections = new Set<FollowerConnection>();
  /**
   * Followers of each caller, and of the applications of callers, with those whose start position is
   * still being read.
   */
  readonly #counts = new Map<string, number>();
  /** Followers whose start position is still being read. */
  #starting = 0;
  #closed = false;

  constructor(log: FollowedLog, options: FollowerOptions = {}) {
    this.#log = log;
    this.#options = options;
  }

  /** Number of followers at this moment. */
  get count(): number {
    return this.#connections.size + this.#starting;
  }

  /**
   * Opens a connection and sends events on it until the client leaves.
   * @throws PlatformError `TOPIC_NOT_FOUND`, `REQUEST_INVALID`, `DATABASE_*`; `OVERLOADED` when there
   *   are too many followers, `RATE_LIMITED` when the caller or its application has too many,
   *   `STOPPING` after `close`
   */
  async follow<Connection extends FollowerConnection>(
    request: FollowRequest<Connection>,
  ): Promise<Connection> {
    const { maxFollowers = 200 } = this.#options;
    const shares = sharesOf(request);
    if (this.#closed) throw new PlatformError('STOPPING', 'the server is stopping');
    if (this.count >= maxFollowers) {
      const message = `${maxFollowers} clients follow events already; try again later`;
      throw new PlatformError('OVERLOADED', message);
    }
    this.#checkShares(shares);
    this.#starting += 1;
    this.#count(shares, 1);
    try {
      const cursor = await this.#findStart(request.query);
      const connection = request.open(cursor);
      this.#track(connection, request.mayContinue, shares);
      void this.#run(connection, { ...request.query, cursor }, request.onError);
      // `close` may have been called meanwhile.
      if (this.#closed) connection.end();
      return connection;
    } catch (error) {
      this.#count(shares, -1);
      throw error;
    } finally {
      this.#starting -= 1;
    }
  }

  /**
   * Ends all connections. Clients connect again, to another server or after the restart.
   * Idempotent.
   */
  close(): void {
    this.#closed = true;
    for (const connection of this.#connections) connection.end();
  }

  /** Returns the first cursor. A client that starts at the end must not miss what is appended next. */
  async #findStart(query: EventQuery): Promise<string> {
    const page = await this.#reads.run(() => this.#log.listEvents({ ...query, limit: 1 }));
    return query.cursor ?? page.cursorAfter(-1);
  }

  /**
   * Counts the connection until it is closed, and ends it when the client may no longer continue.
   */
  #track(
    connection: FollowerConnection,
    mayContinue: () => Promise<boolean>,
    shares: readonly Share[],
  ): void {
    const { recheckMs = 250 } = this.#options;
    this.#connections.add(connection);
    let isAsking = false;
    const recheck = setInterval(() => {
      // An answer may take as long as a database that does not respond.
      if (isAsking) return;
      isAsking = true;
      void mayContinue().then((may) => {
        isAsking = false;
        if (!may) connection.end();
      });
    }, recheckMs);
    connection.once('close', () => {
      clearInterval(recheck);
      this.#connections.delete(connection);
      this.#count(shares, -1);
    });
  }

  /** @throws PlatformError `RATE_LIMITED` */
  #checkShares(shares: readonly Share[]): void {
    const { maxFollowers = 200, maxFollowersPerCaller = 50 } = this.#options;
    for (const { name, isApplication } of shares) {
      const max = isApplication ? Math.ceil(maxFollowers / 2) : maxFollowersPerCaller;
      if ((this.#counts.get(name) ?? 0) < max) continue;
      const message = isApplication
        ? `the application follows events with ${max} clients already, half of all that may`
        : `the caller follows events with ${max} clients already, as many as one API key or address may have`;
      throw new PlatformError('RATE_LIMITED', message);
    }
  }

  #count(shares: readonly Share[], change: 1 | -1): void {
    for (const { name } of shares) {
      const count = (this.#counts.get(name) ?? 0) + change;
      if (count === 0) this.#counts.delete(name);
      else this.#counts.set(name, count);
    }
  }

  async #run(
    connection: FollowerConnection,
    query: EventQuery,
    onError: (error: unknown) => void,
  ): Promise<void> {
    const { ended: signal } = connection;
    const log = {
      listEvents: async (asked: EventQuery): Promise<EventPage> => {
        const limits = { limit: maxPageRecords, maxBytes: maxPageBytes };
        const page = await this.#read({ ...asked, ...limits }, signal);
        if (page.records.length === 0) connection.moveTo(page.next);
        return page;
      },
      watch: (topic: string, onAppend: () => void) => this.#log.watch(topic, onAppend),
    };
    try {
      const { pollMs = 5_000 } = this.#options;
      for await (const page of followEvents(log, query, { signal, pollMs })) {
        for (const [index, record] of page.records.entries()) {
          await connection.send(record, page.cursorAfter(index));
        }
      }
    } catch (error) {
      if (!signal.aborted) onError(error);
    } finally {
      connection.end();
    }
  }

  /**
   * Reads a page. Tries again while the database cannot be reached: that does not end a follower.
   */
  async #read(query: EventQuery, signal: AbortSignal): Promise<EventPage> {
    for (;;) {
      try {
        return await this.#reads.run(() => this.#log.listEvents(query));
      } catch (error) {
        const canWait = error instanceof PlatformError && error.retryable && !signal.aborted;
        if (!canWait) throw error;
        await sleep(retryMs, undefined, { signal });
      }
    }
  }
}
