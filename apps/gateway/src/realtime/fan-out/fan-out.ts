import type { ChannelBatch } from '@posthaste/appsync-server';
import type {
  AppendedRecord,
  LogRecord,
  OutgoingRecord,
  StoredRecord,
} from '@posthaste/eventstream';
import { realtimeTopic } from '../batch-record.js';
import type { TailedLog } from './fan-out-log.js';

/** Fan-out as a broker uses it. */
export interface FanOut {
  /** The log, of which most is known before it is read. */
  readonly log: TailedLog;
  /**
   * Begins.
   * @param epoch name of the log
   * @param onBroadcast gets records that are not in the log, those of this node too
   */
  start(epoch: string, onBroadcast: (record: StoredRecord) => void): void;
  /** Sends records that were committed at these offsets. Never fails. */
  sendStored(records: readonly StoredRecord[]): void;
  /** Has the log read: it has a record that has not arrived. */
  readSoon(): void;
  /** Sends a record that is not in the log. @throws PlatformError `STREAM_*`, `OVERLOADED` */
  broadcast(record: OutgoingRecord): Promise<void>;
  /** Sends what waits, and stops. Idempotent. */
  close(): Promise<void>;
}

/** Bytes of events up to which a batch is passed on as one record. */
const maxPartBytes = 400_000;

/** Returns the records of the realtime topic among those that were appended at these places. */
export function toStoredRecords(
  records: readonly LogRecord[],
  places: readonly AppendedRecord[],
): StoredRecord[] {
  const timestampMs = Date.now();
  return records.flatMap(({ topic, key, value, headers }, index) => {
    const place = places[index];
    if (topic !== realtimeTopic || place === undefined) return [];
    const { partition, offset } = place;
    return [{ topic, partition, offset, key, value, headers, timestampMs }];
  });
}

/** Splits a batch, so that no part is too large for a record of the log, or for a broker. */
export function broadcastParts(batch: ChannelBatch): ChannelBatch[] {
  const characters = batch.events.reduce((sum, { event }) => sum + event.length, 0);
  // A character has three bytes at most: nearly all batches are decided without counting them.
  if (characters * 3 <= maxPartBytes) return [batch];
  const bytes = batch.events.reduce((sum, { event }) => sum + Buffer.byteLength(event), 0);
  if (bytes <= maxPartBytes) return [batch];
  return batch.events.map((event) => ({ ...batch, events: [event] }));
}
