/*
 * Broker on the event log. All gateways append to the topic `realtime`, which has one partition, and
 * read it from its end: every batch has one place in one order.
 *
 * - A position is the offset of the record × 1,024 + the index of the event in it.
 * - A batch of a durable namespace is delivered when it was read back from the log, on the node that
 *   appended it, too. Its commit may be seen by the reader before the appender gets its answer: the
 *   reader then waits for the end of the append, so that a publisher is answered before it gets its
 *   own events.
 * - A batch of another namespace was delivered on its node before; the others get it by the log, as
 *   well as that goes: what cannot be appended is dropped and counted.
 * - With a fan-out, batches reach the other nodes before they read the log, which still decides about
 *   order and positions: fan-out/kafka-fan-out.ts.
 * - Missed events come from memory, which has the newest ones; else from the log, within a limit.
 * - log-appender.ts appends, one transaction at a time.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type {
  Broker,
  ChannelBatch,
  DeliveredBatch,
  MissedEvents,
  MissedRequest,
  PresenceChannelName,
} from '@posthaste/appsync-server';
import { backoffMs, newId, PlatformError, settlesWithin } from '@posthaste/contracts';
import type { LogRecord, PostgresLog, StoredRecord } from '@posthaste/eventstream';
import type { Database } from '@posthaste/postgres';
import {
  fromBatchRecord,
  fromPresenceRecord,
  offsetOf,
  positionOf,
  realtimeTopic,
} from './batch-record.js';
import { broadcastParts, type FanOut } from './fan-out/fan-out.js';
import { LogAppender } from './log-appender.js';
import { LogHistory } from './log-history.js';
import { LogPosition } from './log-position.js';
import { LogTail } from './log-tail.js';
import type { WaitingBytes } from './waiting-bytes.js';

/** Options of `LogBroker`. */
export interface LogBrokerOptions {
  /** Needs `eventstreamMigrations`. */
  readonly db: Database;
  readonly log: PostgresLog;
  /** Reads the name of the log, which it gets once and keeps. */
  readonly readEpoch: () => Promise<string>;
  /** Returns what is appended to other topics in the transaction of a batch. Default: nothing. */
  readonly forward?:
    | ((batch: ChannelBatch) => readonly LogRecord[] | Promise<readonly LogRecord[]>)
    | undefined;
  /** Way to the other nodes besides the log. It is closed with the broker. Default: none. */
  readonly fanOut?: FanOut | undefined;
  /** Called with errors of reading, which is tried again. */
  readonly onError: (error: unknown) => void;
  /** Called for each batch, not stored, that did not reach the other nodes. */
  readonly onLost?: ((error: unknown) => void) | undefined;
  /** Called for channels whose members may have changed, on any gateway. Default: nothing. */
  readonly onPresence?: ((channel: PresenceChannelName) => void) | undefined;
  /** Longest time until a batch is noticed whose notification is lost, in ms. Default 1,000. */
  readonly pollMs?: number | undefined;
}

/** Records of the past that are read at the start, so that memory has what subscribers may ask for. */
const history = { maxRecords: 10_000, maxBytes: 16 * 1_048_576 };
/** Waits between attempts to start while the database is away. */
const retry = { initialMs: 250, maxMs: 2_000 };
/** Longest wait of a publisher for the start, in ms. */
const maxStartMs = 5_000;
/** Longest wait for an event that another gateway has delivered already, in ms. */
const maxLagMs = 4_000;

/** Connects the gateways on one database, and stores the events of durable namespaces. */
export class LogBroker implements Broker {
  readonly #options: LogBrokerOptions;
  readonly #node = newId();
  readonly #appender: LogAppender;
  readonly #position = new LogPosition();
  #deliver: (batch: DeliveredBatch) => void = () => undefined;
  #tail: LogTail | undefined;
  readonly #started = Promise.withResolvers<void>();
  readonly #history: LogHistory;
  #epoch: string | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: LogBrokerOptions) {
    this.#options = options;
    this.#history = new LogHistory(options.log);
    const { db, log, fanOut } = options;
    const onAppended = (): void => this.#tail?.wake();
    this.#appender = new LogAppender({ db, log, fanOut, node: this.#node, onAppended });
  }

  /** Bytes that wait for the database. */
  get waiting(): WaitingBytes {
    return this.#appender.waiting;
  }

  /** @throws PlatformError `STREAM_CLOSED` before `start` has resolved */
  get epoch(): string {
    if (this.#epoch !== undefined) return this.#epoch;
    throw notStarted();
  }

  get position(): bigint {
    return this.#position.value;
  }

  /**
   * Reads the end of the log, and begins to follow it. Tries again while the database is away. Does not
   * reject.
   */
  async start(deliver: (batch: DeliveredBatch) => void): Promise<void> {
    this.#deliver = deliver;
    for (let failures = 0; this.#closing === undefined; failures += 1) {
      try {
        return await this.#begin();
      } catch (error) {
        if (this.#closing === undefined) this.#options.onError(error);
        await sleep(backoffMs(failures + 1, retry, Math.random()), undefined, { ref: false });
      }
    }
  }

  async #begin(): Promise<void> {
    const { log, fanOut, onError, pollMs } = this.#options;
    const epoch = await this.#options.readEpoch();
    const { partitions } = await log.ensureTopic(realtimeTopic, 1);
    if (partitions !== 1) throw new PlatformError('INTERNAL', manyPartitions(partitions));
    const { tail, readable } = await log.findTail({ topic: realtimeTopic, partition: 0 }, history);
    await this.#history.begin(tail, { maxBytes: history.maxBytes });
    const onRecords = (records: readonly StoredRecord[]) => this.#onRecords(records);
    const reader = new LogTail({ log: fanOut?.log ?? log, onRecords, onError, pollMs }, tail);
    try {
      await reader.readTo(readable);
    } catch (error) {
      await reader.close();
      throw error;
    }
    this.#position.moveTo(positionOf(reader.next));
    this.#epoch = epoch;
    this.#tail = reader;
    fanOut?.start(epoch, (record) => this.#onBroadcast(record));
    this.#started.resolve();
    if (this.#closing) return reader.close();
    reader.start();
  }

  async append(batch: ChannelBatch): Promise<void> {
    // A gateway that has just begun to listen has clients before it has read the log.
    if (this.#tail === undefined) await settlesWithin(this.#started.promise, maxStartMs);
    if (this.#tail === undefined) throw notStarted();
    const forwarding = this.#options.forward?.(batch) ?? [];
    // Without a promise, the order of the calls stays.
    const forwarded = forwarding instanceof Promise ? await forwarding : forwarding;
    await this.#appender.append(batch, { isStored: true, forwarded });
  }

  /** Forwards a batch that its subscribers get in any case, also if it may not be forwarded. */
  async #forwardIfAllowed(batch: ChannelBatch): Promise<readonly LogRecord[]> {
    try {
      return (await this.#options.forward?.(batch)) ?? [];
    } catch (error) {
      this.#options.onLost?.(error);
      return [];
    }
  }

  broadcast(batch: ChannelBatch): void {
    void this.#broadcast(batch).catch((error) => this.#options.onLost?.(error));
  }

  async #broadcast(batch: ChannelBatch): Promise<void> {
    const { fanOut } = this.#options;
    const forwarded = await this.#forwardIfAllowed(batch);
    const appending =
      fanOut === undefined || forwarded.length > 0
        ? this.#appender.append(batch, { isStored: false, forwarded })
        : undefined;
    const parts = fanOut === undefined ? [] : broadcastParts(batch);
    const sending = parts.map((part) =>
      fanOut?.broadcast(this.#appender.toRecord(part, false).record),
    );
    await Promise.all([appending, ...sending]);
  }

  #onBroadcast(record: StoredRecord): void {
    const found = fromBatchRecord(record);
    if (found !== undefined && found.node !== this.#node) this.#deliver(found.batch);
  }

  async reach(position: bigint): Promise<boolean> {
    if (position < this.position) return true;
    if (offsetOf(position) >= (await this.#history.findEnd())) return false;
    this.#options.fanOut?.readSoon();
    this.#tail?.wake();
    return this.#position.passes(position, maxLagMs);
  }

  findMissed(request: MissedRequest): Promise<MissedEvents> {
    return this.#history.find(request);
  }

  /** Stores what waits, and stops. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#appender
      .close()
      .then(() => this.#options.fanOut?.close())
      .then(() => this.#tail?.close());
    return this.#closing;
  }

  async #onRecords(records: readonly StoredRecord[]): Promise<void> {
    for (const record of records) {
      const found = fromBatchRecord(record);
      const isOwn = found?.node === this.#node;
      const answering =
        found?.isStored && isOwn ? this.#appender.answerTo(found.number) : undefined;
      if (answering) await answering;
      // Before the call: who subscribes in it has got this record.
      this.#position.moveTo(positionOf(record.offset + 1n));
      if (found?.isStored)
        this.#deliverStored({ ...found.batch, position: positionOf(record.offset) });
      else if (found && !isOwn && this.#tail !== undefined) this.#deliver(found.batch);
      const presence = found ? undefined : fromPresenceRecord(record);
      if (presence) this.#options.onPresence?.(presence);
    }
  }

  #deliverStored(batch: DeliveredBatch): void {
    this.#history.add(batch);
    // What is read before the start is of the past.
    if (this.#tail !== undefined) this.#deliver(batch);
  }
}

function notStarted(): PlatformError {
  return new PlatformError(
    'STOPPING',
    'realtime has not started: the database has not answered yet',
  );
}

function manyPartitions(partitions: number): string {
  return `the topic '${realtimeTopic}' has ${partitions} partitions, and realtime needs one; it was created by something else`;
}
