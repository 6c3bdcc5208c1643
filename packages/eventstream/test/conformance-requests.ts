import {
  type Driver,
  type DriverSubscription,
  offsetBeginning,
  type SubscriptionRequest,
} from '../src/driver.js';
import type { OutgoingRecord } from '../src/record.js';
import { appendTo, groupOf } from './conformance-target.js';
import { RecordingHandler } from './recording-handler.js';

/** For a whole test, on whatever stream. */
export const patience = { timeout: 120_000 };

/** Key and value are the text, unless told otherwise. */
export function outgoing(text: string, fields: Partial<OutgoingRecord> = {}): OutgoingRecord {
  return { key: Buffer.from(text), value: Buffer.from(text), headers: {}, ...fields };
}

/** Records whose key and value are these texts. */
export async function append(
  driver: Driver,
  topic: string,
  texts: readonly string[],
  partition = 0,
): Promise<void> {
  const records = texts.map((text) => outgoing(text));
  await appendTo(driver, { topic, partition, records });
}

/** From the beginning, in the group of the topic, unless told otherwise. */
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

export interface Reader {
  readonly handler: RecordingHandler;
  readonly subscription: DriverSubscription;
}

export function read(
  driver: Driver,
  subscribed: SubscriptionRequest,
  handler: RecordingHandler = new RecordingHandler(),
): Reader {
  return { handler, subscription: driver.subscribe(subscribed, handler) };
}
