import { expect } from 'vitest';
import type { Consumers } from '../src/consume/consumers.js';
import { silentObserver } from '../src/consume/observer.js';
import type { OutgoingRecord, StoredRecord } from '../src/record.js';
import { consumersOn, drain, event, registration } from './conformance-consumers.js';
import { testOptions } from './conformance-requests.js';
import { appendTo, type ConformanceTest, groupOf } from './conformance-target.js';

/** Registers the tests of consumers on a driver. */
export function testConsuming(it: ConformanceTest): void {
  it(
    'calls the callbacks of an event name, and continues after the last commit',
    testOptions,
    async ({ connect, newTopic, until }) => {
      const driver = await connect();
      const topic = await newTopic(2);
      const got: string[] = [];
      const start = (): Consumers => {
        const consumers = consumersOn(driver);
        consumers.register(
          registration({ topic, eventName: 'login' }, (id) => got.push(`login ${id}`)),
        );
        consumers.register(
          registration({ topic, eventName: 'logout' }, async (id) => got.push(`logout ${id}`)),
        );
        return consumers;
      };
      const publish = (partition: number, ...records: OutgoingRecord[]): Promise<void> =>
        appendTo(driver, { topic, partition, records });
      const first = start();
      await publish(0, event('1', 'login'), event('2', 'other'), event('3', 'logout'));
      await publish(1, event('4', 'login'));
      await until(() => expect(got).toHaveLength(3));
      await first.close(drain);
      const second = start();
      await publish(0, event('5', 'login'));
      await until(() => expect(got.at(-1)).toBe('login 5'));
      await second.close(drain);
      expect(got.toSorted()).toEqual(['login 1', 'login 4', 'login 5', 'logout 3']);
      const [lag] = await driver.lag(topic, groupOf(topic));
      expect(lag?.partitions.reduce((sum, partition) => sum + partition.lag, 0n)).toBe(0n);
    },
  );

  it(
    'writes a record that always fails to the dead letters, and continues',
    testOptions,
    async ({ connect, newTopic, until }) => {
      const driver = await connect();
      const topic = await newTopic(1);
      await newTopic(1, `${topic}.dlq`);
      const got: string[] = [];
      const consumers = consumersOn(driver);
      consumers.register(
        registration({ topic, eventName: '' }, (id) => {
          if (id === 'bad') throw new Error('never');
          got.push(id);
        }),
      );
      const dead: StoredRecord[] = [];
      consumers.register(
        registration(
          { topic: `${topic}.dlq`, eventName: '' },
          (_id, record) => record && dead.push(record),
        ),
      );
      const records = [event('bad', 'login'), event('good', 'login')];
      await appendTo(driver, { topic, partition: 0, records });
      await until(() => expect(got).toEqual(['good']));
      await until(() => expect(dead).toHaveLength(1));
      expect(dead[0]).toMatchObject({
        key: records[0]?.key,
        value: records[0]?.value,
        headers: { 'x-original-topic': topic, 'x-error': 'never', 'x-attempts': '2' },
      });
      await consumers.close(drain);
    },
  );

  it(
    'writes unreadable records to the dead letters if asked',
    testOptions,
    async ({ connect, newTopic, until }) => {
      const driver = await connect();
      const topic = await newTopic(1);
      await newTopic(1, `${topic}.dlq`);
      const consumers = consumersOn(driver);
      const got: string[] = [];
      const fields = { sendErrorDlq: true };
      consumers.register(registration({ topic, eventName: 'login' }, (id) => got.push(id), fields));
      const dead: (Buffer | null)[] = [];
      const callback = (_ctx: unknown, value: Buffer | null): unknown => dead.push(value);
      const raw = registration({ topic: `${topic}.dlq`, eventName: '' }, () => undefined);
      consumers.register({ ...raw, handler: { kind: 'raw', callback } });
      const poison = { key: null, value: Buffer.from('{"name": 1}'), headers: {} };
      const records = [poison, event('good', 'login')];
      await appendTo(driver, { topic, partition: 0, records });
      await until(() => expect([got, dead]).toEqual([['good'], [poison.value]]));
      await consumers.close(drain);
    },
  );

  it(
    'blocks a partition while its dead letters cannot be written',
    testOptions,
    async ({ connect, newTopic, until }) => {
      const driver = await connect();
      const topic = await newTopic(1);
      let alarms = 0;
      const consumers = consumersOn(driver, {
        appender: { append: () => (alarms < 2 ? Promise.reject(new Error()) : Promise.resolve()) },
        observer: {
          ...silentObserver,
          partitionBlocked: () => {
            alarms += 1;
          },
        },
      });
      const got: (string | number)[] = [];
      const callback = (id: string): void => {
        if (id === 'bad') throw new Error('never');
        got.push(id, alarms);
      };
      consumers.register(registration({ topic, eventName: '' }, callback));
      const records = [event('bad', 'login'), event('good', 'login')];
      await appendTo(driver, { topic, partition: 0, records });
      await until(() => expect(got).toEqual(['good', 2]));
      await consumers.close(drain);
    },
  );

  it(
    'handles a failed record again from a retry topic',
    testOptions,
    async ({ connect, newTopic, until }) => {
      const driver = await connect();
      const topic = await newTopic(1);
      await newTopic(1, `${topic}.${groupOf(topic)}.retry.1`);
      const consumers = consumersOn(driver);
      const calls: number[] = [];
      const callback = (): void => {
        calls.push(Date.now());
        if (calls.length === 1) throw new Error('not now');
      };
      const retry = { maxAttempts: 1, delaysMs: [300] };
      consumers.register(registration({ topic, eventName: 'login' }, callback, { retry }));
      const records = [event('1', 'login')];
      await appendTo(driver, { topic, partition: 0, records });
      await until(() => expect(calls).toHaveLength(2));
      expect((calls[1] ?? 0) - (calls[0] ?? 0)).toBeGreaterThanOrEqual(295);
      await consumers.close(drain);
    },
  );
}
