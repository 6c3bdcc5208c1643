import {
  ChannelHistory,
  cutBatch,
  type DeliveredBatch,
  type HistoryBounds,
  type MissedEvents,
  type MissedRequest,
} from '@posthaste/appsync-server';
import { Semaphore } from '@posthaste/contracts';
import type { PostgresLog, StoredRecord } from '@posthaste/eventstream';
import {
  fromBatchRecord,
  fromRecordKey,
  offsetOf,
  positionOf,
  realtimeTopic,
  storedName,
  toRecordKey,
} from './batch-record.js';
import { LogQuestions } from './log-questions.js';

/** Records of the log that one question looks through. */
const maxScanned = 100_000n;
/** Channels that are known at the start. */
const maxNoted = 10_000;
/** Bytes of the records that answer a question. With more, the answer is undefined. */
const maxMissedBytes = 16 * 1_048_576;

/** Stored events of the past: the newest in memory, those before in the log. */
export class LogHistory {
  readonly #log: PostgresLog;
  readonly #questions = new LogQuestions();
  readonly #ends = new Semaphore(1);
  /** Look for the end that has not begun yet. */
  #nextEnd: Promise<bigint> | undefined;
  #memory = new ChannelHistory(0n);

  constructor(log: PostgresLog) {
    this.#log = log;
  }

  /**
   * Begins anew. It has no events, but knows which channels had some before: most that come back after
   * a restart have missed nothing, and do not have to ask the log.
   * @param from offset of the first record that is added
   * @throws PlatformError `DATABASE_*`
   */
  async begin(from: bigint, bounds: HistoryBounds): Promise<void> {
    const start = from > maxScanned ? from - maxScanned : 0n;
    const { newest, first } = await this.#log.findNewestOfKeys({
      ...{ topic: realtimeTopic, partition: 0, name: storedName },
      ...{ from: start, to: from, limit: maxNoted },
    });
    // Of a channel that is not among them, nothing is known before.
    const last = newest.length < maxNoted ? undefined : newest.at(-1)?.offset;
    const known = [last ?? start, first].reduce((a, b) => (a > b ? a : b));
    const memory = new ChannelHistory(positionOf(known < from ? known : from), bounds);
    for (const { key, offset } of newest.toReversed()) {
      const channel = fromRecordKey(key);
      // How many events the record has is not known: its last position is that of the most.
      if (channel) memory.note(channel, positionOf(offset + 1n) - 1n);
    }
    this.#memory = memory;
  }

  /** Adds a batch behind all others. */
  add(batch: DeliveredBatch): void {
    this.#memory.add(batch);
  }

  /** Returns the offset at which the log ends at present. @throws PlatformError `DATABASE_*` */
  findEnd(): Promise<bigint> {
    this.#nextEnd ??= this.#ends.run(() => {
      this.#nextEnd = undefined;
      return this.#readEnd();
    });
    return this.#nextEnd;
  }

  async #readEnd(): Promise<bigint> {
    const partition = { topic: realtimeTopic, partition: 0 };
    const nothing = { maxRecords: 0, maxBytes: 0 };
    return (await this.#log.findTail(partition, nothing)).readable;
  }

  /** Finds what a subscriber has missed. @throws PlatformError `DATABASE_*` */
  async find(request: MissedRequest): Promise<MissedEvents> {
    const missed = this.#memory.covers(request)
      ? this.#memory.find(request)
      : await this.#questions.ask(request.realm, () => this.#findInLog(request));
    const events = missed?.reduce((sum, batch) => sum + batch.events.length, 0) ?? 0;
    return events > request.maxEvents ? undefined : missed;
  }

  async #findInLog(request: MissedRequest): Promise<MissedEvents> {
    const { channel, after, before, maxEvents } = request;
    const from = offsetOf(after);
    const last = this.#memory.lastOf(request) ?? before;
    const to = last < before ? offsetOf(last) + 1n : offsetOf(before);
    if (to - from > maxScanned) return undefined;
    const { records, first } = await this.#log.findByKey({
      topic: realtimeTopic,
      partition: 0,
      key: toRecordKey(request),
      isPrefix: channel.isWildcard,
      name: storedName,
      from,
      to,
      limit: maxEvents + 1,
      maxBytes: maxMissedBytes,
    });
    const bytes = records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
    this.#questions.countBytes(request.realm, bytes);
    if (first > from || bytes > maxMissedBytes) return undefined;
    return records.flatMap((record) => toMissed(record, request));
  }
}

/** Returns the events of a record that are within the question. */
function toMissed(record: StoredRecord, request: MissedRequest): DeliveredBatch[] {
  const found = fromBatchRecord(record);
  const position = positionOf(record.offset);
  const batch = found && cutBatch({ ...found.batch, position }, request);
  return batch === undefined ? [] : [batch];
}
