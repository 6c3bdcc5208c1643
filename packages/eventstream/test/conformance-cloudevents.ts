import { type EventEnvelope, toCloudEvent } from '@posthaste/contracts';
import { expect } from 'vitest';
import { buildEvent } from '../src/builders/build-event.js';
import type { Consumers } from '../src/consume/consumers.js';
import type { RawCallback, RegistrationHandler } from '../src/consume/registration.js';
import type { StoredRecord } from '../src/record.js';
import {
  cloudEvent,
  dataOfEveryKind,
  modes,
  readBySdk,
  toRecord,
  unreadableRecords,
} from './cloudevent-records.js';
import { consumersOn, drain, event, registration } from './conformance-consumers.js';
import { testOptions } from './conformance-requests.js';
import { appendTo, type ConformanceTest, groupOf } from './conformance-target.js';

/** A call of a typed subscriber. */
interface Call {
  readonly event: EventEnvelope | null;
  readonly record: StoredRecord | undefined;
}

const placed = 'com.example.placed';
const unnamed = '/a b/事件';
const datacontenttype = 'application/json';

/** Subscriber of one event name that keeps its calls. */
interface Subscription {
  readonly topic: string;
  readonly eventName: string;
  /** Default: no call fails. */
  readonly fails?: boolean;
}

/** Subscribes to events of a name. Returns the calls, to which more are added. */
function subscribe(consumers: Consumers, { fails = false, ...target }: Subscription): Call[] {
  const calls: Call[] = [];
  const handler: RegistrationHandler = {
    kind: 'event',
    callback: ({ record }, received) => {
      calls.push({ event: received, record });
      if (fails) throw new Error('not now');
    },
  };
  const retry = { maxAttempts: 1, delaysMs: fails ? [10] : [] };
  const fields = { handler, retry, sendErrorDlq: true };
  consumers.register(registration(target, () => undefined, fields));
  return calls;
}

/** Subscribes to the bytes of all records. Returns the records, to which more are added. */
function subscribeRaw(consumers: Consumers, topic: string): StoredRecord[] {
  const records: StoredRecord[] = [];
  const callback: RawCallback = ({ record }, value) => {
    if (record?.value === value) records.push(record);
  };
  const handler: RegistrationHandler = { kind: 'raw', callback };
  const target = { topic, eventName: '' };
  consumers.register(registration(target, () => undefined, { handler }));
  return records;
}

/** Registers the tests of CloudEvents that others have written to the stream. */
export function testCloudEvents(it: ConformanceTest): void {
  it(
    'calls subscribers of their types with CloudEvents of other publishers',
    testOptions,
    async ({ connect, newTopic, until }) => {
      const driver = await connect();
      const topic = await newTopic(1);
      const consumers = consumersOn(driver);
      const named = subscribe(consumers, { topic, eventName: placed });
      const other = subscribe(consumers, { topic, eventName: 'a-b' });
      const raw = subscribeRaw(consumers, topic);
      const events = dataOfEveryKind.flatMap(([type, data], index) =>
        modes.map(
          (mode) =>
            [cloudEvent({ id: `${index} ${mode}`, datacontenttype: type, data }), mode] as const,
        ),
      );
      const withoutData = cloudEvent({ id: 'without data' });
      const unruly = cloudEvent({
        id: 'unruly',
        type: unnamed,
        datacontenttype,
        data: { total: 1 },
      });
      const records = [
        ...events.map(([each, mode]) => toRecord(each, mode)),
        ...modes.flatMap((mode) => [toRecord(withoutData, mode), toRecord(unruly, mode)]),
        event('own', placed),
      ];
      await appendTo(driver, { topic, partition: 0, records });
      await until(() => expect(named.at(-1)?.event?.id).toBe('own'));
      await until(() => expect(raw).toHaveLength(records.length));
      expect(raw.map(({ value }) => value)).toEqual(records.map(({ value }) => value));
      expect(other).toHaveLength(2);
      await consumers.close(drain);
      const received = [...named.slice(0, -1), ...other].map(
        ({ event: one }) => one && toCloudEvent(one),
      );
      const written = [
        ...events.map(([each]) => each),
        ...modes.map(() => withoutData),
        ...modes.map(() => unruly),
      ];
      expect(received).toEqual(written.map((each) => JSON.parse(each.toString())));
    },
  );

  it(
    'keeps them as they are in retry topics and dead letters',
    testOptions,
    async ({ connect, newTopic, until }) => {
      const driver = await connect();
      const topic = await newTopic(1);
      await newTopic(1, `${topic}.dlq`);
      await newTopic(1, `${topic}.${groupOf(topic)}.retry.1`);
      const consumers = consumersOn(driver);
      const calls = subscribe(consumers, { topic, eventName: placed, fails: true });
      const dead = subscribe(consumers, { topic: `${topic}.dlq`, eventName: placed });
      const bytes = Uint8Array.of(0, 255, 1);
      const data = { datacontenttype: 'application/octet-stream', data: bytes };
      const written = modes.map((mode) => toRecord(cloudEvent({ id: mode, ...data }), mode));
      await appendTo(driver, { topic, partition: 0, records: written });
      await until(() => expect(dead).toHaveLength(2));
      await consumers.close(drain);
      expect(calls).toHaveLength(4);
      for (const [index, { event: received, record }] of dead.entries()) {
        expect(record?.value).toEqual(written[index]?.value);
        expect(record?.headers).toMatchObject({ ...written[index]?.headers, 'x-attempts': '2' });
        const first = calls.find(({ event: one }) => one?.id === received?.id);
        expect(received).toEqual(first?.event);
      }
    },
  );

  it(
    'writes those that cannot be read to the dead letters with the reason, and goes on',
    testOptions,
    async ({ connect, newTopic, until }) => {
      const driver = await connect();
      const topic = await newTopic(1);
      await newTopic(1, `${topic}.dlq`);
      const consumers = consumersOn(driver);
      const calls = subscribe(consumers, { topic, eventName: placed });
      const dead = subscribeRaw(consumers, `${topic}.dlq`);
      const bad = unreadableRecords.map(([, record]) => record);
      await appendTo(driver, { topic, partition: 0, records: [...bad, event('good', placed)] });
      await until(() => expect(dead).toHaveLength(bad.length));
      await until(() => expect(calls.map(({ event: one }) => one?.id)).toEqual(['good']));
      await consumers.close(drain);
      const reasons = dead.map(({ headers }) => headers['x-error']);
      expect(reasons).toEqual(unreadableRecords.map(([reason]) => expect.stringMatching(reason)));
      expect(dead.map(({ value }) => value)).toEqual(bad.map(({ value }) => value));
    },
  );

  it(
    'writes events that the CloudEvents SDK reads',
    testOptions,
    async ({ connect, newTopic, until }) => {
      const driver = await connect();
      const topic = await newTopic(1);
      const options = { prefix: '', profile: 'default', strictValidation: false } as const;
      const built = buildEvent(
        { topic, eventName: 'placed', namespace: 'shop', userId: 'u1', payload: { total: 3 } },
        options,
      );
      await appendTo(driver, { topic, partition: 0, records: [built] });
      const consumers = consumersOn(driver);
      const calls = subscribe(consumers, { topic, eventName: 'placed' });
      await until(() => expect(calls).toHaveLength(1));
      await consumers.close(drain);
      const [call] = calls;
      const read = call?.record && readBySdk(call.record);
      const { id, source, type, subject } = toCloudEvent(built.envelope);
      expect(read).toMatchObject({
        id,
        source,
        type,
        subject,
        datacontenttype: 'application/json',
      });
      expect(read?.data).toEqual(JSON.parse(built.value.toString()));
    },
  );
}
