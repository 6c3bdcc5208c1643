import type { ChannelBatch } from '@posthaste/appsync-server';
import { RealtimeError } from '@posthaste/appsync-server';
import { PlatformError, withTimeout } from '@posthaste/contracts';
import type { LogRecord, PostgresLog } from '@posthaste/eventstream';
import { GroupCommit } from '@posthaste/eventstream/event-log';
import type { Database, Transaction } from '@posthaste/postgres';
import { realtimeTopic, toBatchRecord } from './batch-record.js';
import { broadcastParts, type FanOut, toStoredRecords } from './fan-out/fan-out.js';
import { WaitingBytes } from './waiting-bytes.js';

/** Options of a `LogAppender`. */
export interface LogAppenderOptions {
  readonly db: Database;
  readonly log: PostgresLog;
  readonly fanOut: FanOut | undefined;
  /** Name of the node in its records. */
  readonly node: string;
  /** Called after each commit. */
  readonly onAppended: () => void;
}

/** Way of a batch. */
interface AppendChoice {
  /** True for a batch that subscribers get from the log, also later. */
  readonly isStored: boolean;
  /** Records of other topics for the same transaction. */
  readonly forwarded: readonly LogRecord[];
}

/** Longest time of a statement that appends, and longest wait of a publisher, in ms. */
const appendTimeoutMs = 10_000;
/** Bytes that wait for the database: of stored batches, and of others. */
const maxStoredBytes = 32 * 1_048_576;
const maxBroadcastBytes = 8 * 1_048_576;
/** Largest record of the log, in bytes. */
const maxRecordBytes = 1_048_576;
/** Batch in a transaction, with what is appended beside it. */
interface Append {
  /** Undefined for a batch that is not stored, and goes another way. */
  readonly record: LogRecord | undefined;
  readonly forwarded: readonly LogRecord[];
  readonly number: number;
  /** True when its publisher was told that it was not stored. */
  isGivenUp: boolean;
}

/**
 * Appends batches to the log: in the order of the calls, one transaction at a time. Calls that come
 * meanwhile share the next one.
 */
export class LogAppender {
  readonly #options: LogAppenderOptions;
  readonly #stored: GroupCommit<Append, undefined>;
  readonly #broadcasts: GroupCommit<Append, undefined>;
  /** Bytes that wait for the database. */
  readonly waiting: WaitingBytes = new WaitingBytes();
  /** Number of the last batch whose append has ended, and the end of those that run. */
  #ended = 0;
  #running: Promise<void> = Promise.resolve();
  #number = 0;

  constructor(options: LogAppenderOptions) {
    this.#options = options;
    this.#stored = new GroupCommit({
      commit: (appends) => this.#commitStored(appends),
      maxWaitingBytes: maxStoredBytes,
      maxTransactions: 1,
    });
    this.#broadcasts = new GroupCommit({
      commit: (appends) => this.#commit(appends),
      maxWaitingBytes: maxBroadcastBytes,
      maxTransactions: 1,
    });
  }

  /**
   * Appends a batch with what is forwarded of it. Without `isStored`, it is for the sockets of other
   * nodes, and with a fan-out it is not in the log.
   * @throws PlatformError `DATABASE_*`, `OVERLOADED`, RealtimeError for an event that is too large
   */
  async append(batch: ChannelBatch, { isStored, forwarded }: AppendChoice): Promise<void> {
    const appends = isStored ? this.#stored : this.#broadcasts;
    const isInLog = isStored || this.#options.fanOut === undefined;
    let bytes = 0;
    // All parts are in one transaction.
    const parts = broadcastParts(batch).map((part, index): Append => {
      const { record, number } = this.toRecord(part, isStored);
      bytes += sizeOf(record);
      return {
        record: isInLog ? record : undefined,
        forwarded: index === 0 ? forwarded : [],
        number,
        isGivenUp: false,
      };
    });
    const storing = this.waiting.count(batch.realm, bytes, appends.store(parts, bytes));
    await withTimeout(storing, appendTimeoutMs, () => {
      // Is left out if its transaction has not begun; else it may be stored in spite of the error.
      for (const part of parts) part.isGivenUp = true;
      const message = `the database has not stored the events within ${appendTimeoutMs} ms`;
      throw new PlatformError('DATABASE_UNAVAILABLE', message);
    });
  }

  /** Resolves when the publisher of a stored batch of this node is answered. Undefined if it was. */
  answerTo(number: number): Promise<void> | undefined {
    return number > this.#ended ? this.#running : undefined;
  }

  /** Returns the next record of this node. */
  toRecord(batch: ChannelBatch, isStored: boolean): { record: LogRecord; number: number } {
    this.#number += 1;
    const number = this.#number;
    return { record: toBatchRecord({ batch, node: this.#options.node, number, isStored }), number };
  }

  /** Stores what waits. Idempotent. */
  async close(): Promise<void> {
    await Promise.all([this.#stored.close(), this.#broadcasts.close()]);
  }

  /** Commits stored batches, and keeps the reader from delivering them before. */
  #commitStored(appends: readonly Append[]): Promise<undefined[]> {
    const commit = this.#commit(appends);
    const last = appends.at(-1)?.number ?? 0;
    // In a later turn: by then the publishers have been answered.
    this.#running = commit.then(nextTurn, nextTurn).then(() => {
      this.#ended = last;
    });
    return commit;
  }

  async #commit(appends: readonly Append[]): Promise<undefined[]> {
    const { db, log, fanOut, onAppended } = this.#options;
    const wanted = appends.filter(({ isGivenUp }) => !isGivenUp);
    const forwarded = wanted.flatMap((append) => append.forwarded);
    // Last: readers wait for the end of the transaction from then on.
    const records = [...forwarded, ...wanted.flatMap(({ record }) => record ?? [])];
    if (records.length === 0) return appends.map(() => undefined);
    const keyOrder = forwarded.length > 0 ? 'commit' : 'append';
    const append = (tx: Transaction) => log.append(tx, records, { keyOrder, notify: false });
    const places = await db.transaction(append, { statementTimeoutMs: appendTimeoutMs });
    fanOut?.sendStored(toStoredRecords(records, places));
    onAppended();
    const topics = new Set(records.map(({ topic }) => topic));
    // The fan-out does that, where it is needed.
    if (fanOut) topics.delete(realtimeTopic);
    for (const topic of topics) log.hint(topic);
    return appends.map(() => undefined);
  }
}

/** Returns the size of a record. @throws RealtimeError if the log takes none of this size */
function sizeOf({ key, value }: LogRecord): number {
  const bytes = (key?.length ?? 0) + (value?.length ?? 0);
  if (bytes <= maxRecordBytes) return bytes;
  // Before it is in a transaction with others, which would fail with it.
  const message = `An event has ${bytes} bytes in the event log, which takes ${maxRecordBytes}.`;
  throw new RealtimeError('BadRequestException', 413, message);
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
