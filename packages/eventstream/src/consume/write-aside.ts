import { backoffMs } from '@posthaste/contracts';
import type { OutgoingRecord, StoredRecord } from '../record.js';
import type { ConsumeObserver, ConsumerName } from './observer.js';
import type { ProcessorControl } from './partition-processor.js';

/** What is needed to put records away. */
export interface RecordAppender {
  /**
   * Resolves when the stream has acknowledged the record; the key decides the partition.
   * @param topic as on the wire
   */
  append(topic: string, record: OutgoingRecord): Promise<void>;
}

/** Waits between two tries to put a record away. */
const blockedBackoff = { initialMs: 500, maxMs: 30_000 } as const;

export interface WriteAsideOptions {
  readonly appender: RecordAppender;
  readonly observer: ConsumeObserver;
  readonly consumer: ConsumerName;
  readonly random: () => number;
}

/**
 * Writes a record that could not be handled to another topic, and does not give up: until the write
 * is confirmed the partition begins nothing else, and every failure raises the alarm.
 * @returns false when the lane was stopped first: the record is still where it was
 */
export async function writeAside(
  { appender, observer, consumer, random }: WriteAsideOptions,
  lane: ProcessorControl,
  record: StoredRecord,
  target: { readonly topic: string; readonly record: OutgoingRecord },
): Promise<boolean> {
  for (let failures = 0; ; ) {
    try {
      await appender.append(target.topic, target.record);
      if (failures > 0) {
        observer.partitionUnblocked(consumer, record);
        lane.resume();
      }
      return true;
    } catch (error) {
      if (failures === 0) lane.pause();
      failures += 1;
      observer.partitionBlocked(consumer, record, target.topic, error);
      if (!(await lane.sleep(backoffMs(failures, blockedBackoff, random())))) return false;
    }
  }
}
