import {
  type AppendRequest,
  type Driver,
  type DriverSubscription,
  offsetBeginning,
  type SubscriptionRequest,
} from '../src/driver.js';
import type { OutgoingRecord } from '../src/record.js';
import { appendTo, groupOf } from './conformance-target.js';
import { RecordingHandler } from './recording-handler.js';

/** Options of each test: a time limit that is long enough for every stream. */
export const testOptions = { timeout: 120_000 };

/** Returns a record whose key and value are the text by default. */
export function outgoing(text: string, fields: Partial<OutgoingRecord> = {}): OutgoingRecord {
  return { key: Buffer.from(text), value: Buffer.from(text), headers: {}, ...fields };
}

/** Appends records whose key and value are these texts, to partition 0 or the given one. */
export async function append(
  driver: Driver,
  target: string | Pick<AppendRequest, 'topic' | 'partition'>,
  texts: readonly string[],
): Promise<void> {
  const partition = typeof target === 'string' ? { topic: target, partition: 0 } : target;
  await appendTo(driver, { ...partition, records: texts.map((text) => outgoing(text)) });
}

/** Returns a subscription, by default from the beginning and in the group of the topic. */
export function request(
  topic: string,
  fields: Partial<SubscriptionRequest> = {},
): SubscriptionRequest {
  return {
    topic,
    groupId: groupOf(topic),
    groupInstanceId: undefined,
    startOffset: offsetBeginning,
    drainMs: 2_000,
    ...fields,
  };
}

/** Subscription with the handler that records its calls. */
export interface Reader {
  readonly handler: RecordingHandler;
  readonly subscription: DriverSubscription;
}

/** Subscribes with a handler that records its calls. */
export function read(
  driver: Driver,
  subscribed: SubscriptionRequest,
  handler: RecordingHandler = new RecordingHandler(),
): Reader {
  return { handler, subscription: driver.subscribe(subscribed, handler) };
}
