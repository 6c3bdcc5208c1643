import { backoffMs } from '@posthaste/contracts';
import type { OutgoingRecord, StoredRecord } from '../record.js';
import type { ConsumeObserver, ConsumerName } from './observer.js';
import type { Block, ProcessorControl } from './partition-processor.js';

/** Writer to dead letter and retry topics. */
export interface RecordAppender {
  /**
   * Appends a record; its key decides the partition. Resolves when the stream has acknowledged it.
   * @param topic as on the wire
   */
  append(topic: string, record: OutgoingRecord): Promise<void>;
}

/** Options of `writeAside`. */
export interface WriteAsideOptions {
  readonly appender: RecordAppender;
  readonly observer: ConsumeObserver;
  readonly consumer: ConsumerName;
  /** Random source, in [0, 1). */
  readonly random: () => number;
}

/** A record that could not be handled, and the copy of it to write. */
export interface AsideWrite {
  readonly record: StoredRecord;
  /** The dead letter or retry topic. */
  readonly topic: string;
  readonly copy: OutgoingRecord;
}

/** Waits between two tries of a write. */
const blockedBackoff = { initialMs: 500, maxMs: 30_000 } as const;

/**
 * Writes a record that could not be handled to another topic, and does not give up: until the write
 * is confirmed, the partition begins no other record, and every failure raises the alarm.
 * @returns false when the processor stopped first: the record stays where it is
 */
export async function writeAside(
  { appender, observer, consumer, random }: WriteAsideOptions,
  processor: ProcessorControl,
  { record, topic, copy }: AsideWrite,
): Promise<boolean> {
  const block: Block = { topic, error: undefined };
  for (let failures = 0; ; ) {
    try {
      await appender.append(topic, copy);
      if (failures > 0) {
        observer.partitionUnblocked(consumer, record);
        processor.resume(block);
      }
      return true;
    } catch (error) {
      block.error = error;
      processor.pause(block);
      failures += 1;
      observer.partitionBlocked(consumer, { record, topic, error });
      if (!(await processor.sleep(backoffMs(failures, blockedBackoff, random())))) return false;
    }
  }
}
