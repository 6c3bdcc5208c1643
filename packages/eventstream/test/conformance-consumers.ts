import { Consumers, type ConsumersOptions } from '../src/consume/consumers.js';
import type { Registration } from '../src/consume/registration.js';
import { type Driver, offsetBeginning } from '../src/driver.js';
import { decodeEnvelope } from '../src/envelope/decode.js';
import type { OutgoingRecord, StoredRecord } from '../src/record.js';
import { appendTo, groupOf } from './conformance-target.js';

/** Time to finish what is in hand. */
export const drain = { drainMs: 5_000 };

/** An event as published; without a key of its own it has its id. */
export function event(id: string, name: string, key: string = id): OutgoingRecord {
  const envelope = { id, name, namespace: 'game', timestamp: '2026-01-02T03:04:05Z', version: 1 };
  return { key: Buffer.from(key), value: Buffer.from(JSON.stringify(envelope)), headers: {} };
}

/** Consumers as a client has them, which put records away on the same driver. */
export function consumersOn(driver: Driver, options: Partial<ConsumersOptions> = {}): Consumers {
  return new Consumers({
    driver,
    decode: decodeEnvelope,
    appender: {
      append: (topic, record) => appendTo(driver, { topic, partition: 0, records: [record] }),
    },
    ...options,
  });
}

/** Asks for events of a topic, in its group, with quick retries. */
export function registration(
  topic: string,
  eventName: string,
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
