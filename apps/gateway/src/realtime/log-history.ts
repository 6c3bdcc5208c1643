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
  offsetOf,
  positionOf,
  realtimeTopic,
  storedName,
  toRecordKey,
} from './batch-record.js';

/** Records of the log that one question looks through. */
const maxScanned = 100_000n;
/** Bytes of the records that answer a question. With more, the answer is undefined. */
const maxMissedBytes = 16 * 1_048_576;
/** Questions to the log at the same time. */
const maxQuestions = 4;

/** Stored events of the past: the newest in memory, those before in the log. */
export class LogHistory {
  readonly #log: PostgresLog;
  readonly #questions = new Semaphore(maxQuestions);
  #memory = new ChannelHistory(0n);

  constructor(log: PostgresLog) {
    this.#log = log;
  }

  /** Begins anew, with an empty memory. @param from offset of the first record that is added */
  begin(from: bigint, bounds: HistoryBounds): void {
    this.#memory = new ChannelHistory(positionOf(from), bounds);
  }

  /** Adds a batch behind all others. */
  add(batch: DeliveredBatch): void {
    this.#memory.add(batch);
  }

  /** Returns the offset at which the log ends at present. @throws PlatformError `DATABASE_*` */
  async findEnd(): Promise<bigint> {
    const partition = { topic: realtimeTopic, partition: 0 };
    const nothing = { maxRecords: 0, maxBytes: 0 };
    const ends = await this.#questions.run(() => this.#log.findTail(partition, nothing));
    return ends.readable;
  }

  /** Finds what a subscriber has missed. @throws PlatformError `DATABASE_*` */
  async find(request: MissedRequest): Promise<MissedEvents> {
    const missed = this.#memory.covers(request)
      ? this.#memory.find(request)
      : await this.#questions.run(() => this.#findInLog(request));
    const events = missed?.reduce((sum, batch) => sum + batch.events.length, 0) ?? 0;
    return events > request.maxEvents ? undefined : missed;
  }

  async #findInLog(request: MissedRequest): Promise<MissedEvents> {
    const { channel, after, before, maxEvents } = request;
    const from = offsetOf(after);
    const to = offsetOf(before);
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
