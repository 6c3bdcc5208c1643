import { Consumers, type ConsumersOptions } from '../src/consume/consumers.js';
import type { Registration } from '../src/consume/registration.js';
import { type Driver, offsetBeginning } from '../src/driver.js';
import { decodeRecord } from '../src/envelope/decode-record.js';
import type { OutgoingRecord, StoredRecord } from '../src/record.js';
import { appendTo, groupOf } from './conformance-target.js';

/** Time to finish records that are being handled. */
export const drain = { drainMs: 5_000 };

/** Returns an event as it is published. Its key is its id by default. */
export function event(id: string, name: string, key: string = id): OutgoingRecord {
  const envelope = { id, name, namespace: 'game', timestamp: '2026-01-02T03:04:05Z', version: 1 };
  return { key: Buffer.from(key), value: Buffer.from(JSON.stringify(envelope)), headers: {} };
}

/** Creates consumers as a client does; they write dead letters with the same driver. */
export function consumersOn(driver: Driver, options: Partial<ConsumersOptions> = {}): Consumers {
  return new Consumers({
    driver,
    decode: decodeRecord,
    appender: {
      append: (topic, record) => appendTo(driver, { topic, partition: 0, records: [record] }),
    },
    ...options,
  });
}

/** Returns a registration for events of a topic, in its group, with quick retries. */
export function registration(
  { topic, eventName }: Pick<Registration, 'topic' | 'eventName'>,
  callback: (id: string, record: StoredRecord | undefined) => unknown,
  fields: Partial<Registration> = {},
): Registration {
  return {
    topic,
    groupId: groupOf(topic),
    eventName,
    startOffset: offsetBeginning,
    retry: { maxAttempts: 2, initialMs: 5, maxMs: 10 },
    commitIntervalMs: 20,
    handler: {
      kind: 'event',
      callback: (ctx, received) => callback(received?.id ?? '', ctx.record),
    },
    ...fields,
  };
}
