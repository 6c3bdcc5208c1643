import { expect, it } from 'vitest';
import { Consumers } from '../src/consume/consumers.js';
import { silentObserver } from '../src/consume/observer.js';
import type { Registration } from '../src/consume/registration.js';
import { type Driver, offsetBeginning } from '../src/driver.js';
import { decodeEnvelope } from '../src/envelope/decode.js';
import type { OutgoingRecord, StoredRecord } from '../src/record.js';
import { type Conformance, groupOf } from './conformance.js';

const patience = { timeout: 120_000 };

function event(id: string, name: string, key: string = id): OutgoingRecord {
  const envelope = { id, name, namespace: 'game', timestamp: '2026-01-02T03:04:05Z', version: 1 };
  return { key: Buffer.from(key), value: Buffer.from(JSON.stringify(envelope)), headers: {} };
}

function consumersOn(driver: Driver): Consumers {
  return new Consumers({
    driver,
    decode: decodeEnvelope,
    observer: silentObserver,
    appender: {
      append: (topic, record) =>
        driver.append({ topic, partition: 0, records: [record], timeoutMs: 10_000 }),
    },
  });
}

/** What the whole consumer does on this driver. */
export function testConsuming({ connect, topic: newTopic, until }: Conformance): void {
  const drain = { drainMs: 5_000 };
  const registration = (
    topic: string,
    eventName: string,
    callback: (id: string, record: StoredRecord | undefined) => unknown,
    fields: Partial<Registration> = {},
  ): Registration => ({
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
  });

  it(
    'gives events to who asked for their name, and goes on where it stopped',
    patience,
    async () => {
      const driver = await connect();
      const topic = await newTopic(2);
      const got: string[] = [];
      const start = (): Consumers => {
        const consumers = consumersOn(driver);
        consumers.register(registration(topic, 'login', (id) => got.push(`login ${id}`)));
        consumers.register(registration(topic, 'logout', async (id) => got.push(`logout ${id}`)));
        return consumers;
      };
      const publish = (partition: number, ...records: OutgoingRecord[]): Promise<void> =>
        driver.append({ topic, partition, records, timeoutMs: 10_000 });
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

  it('puts what always fails into the dead letters, and goes on', patience, async () => {
    const driver = await connect();
    const topic = await newTopic(1);
    await newTopic(1, `${topic}.dlq`);
    const got: string[] = [];
    const consumers = consumersOn(driver);
    consumers.register(
      registration(topic, '', (id) => {
        if (id === 'bad') throw new Error('never');
        got.push(id);
      }),
    );
    const dead: StoredRecord[] = [];
    consumers.register(
      registration(`${topic}.dlq`, '', (_id, record) => record && dead.push(record)),
    );
    const records = [event('bad', 'login'), event('good', 'login')];
    await driver.append({ topic, partition: 0, records, timeoutMs: 10_000 });
    await until(() => expect(got).toEqual(['good']));
    await until(() => expect(dead).toHaveLength(1));
    expect(dead[0]).toMatchObject({
      key: records[0]?.key,
      value: records[0]?.value,
      headers: { 'x-original-topic': topic, 'x-error': 'never', 'x-attempts': '2' },
    });
    await consumers.close(drain);
  });

  it('tries again by way of a retry topic', patience, async () => {
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
    consumers.register(registration(topic, 'login', callback, { retry }));
    const records = [event('1', 'login')];
    await driver.append({ topic, partition: 0, records, timeoutMs: 10_000 });
    await until(() => expect(calls).toHaveLength(2));
    expect((calls[1] ?? 0) - (calls[0] ?? 0)).toBeGreaterThanOrEqual(295);
    await consumers.close(drain);
  });

  it(
    'loses nothing and keeps the order of every key while members come and go',
    patience,
    async () => {
      const [one, two] = await Promise.all([connect(), connect()]);
      const topic = await newTopic(4);
      const seen = new Map<string, number[]>();
      const callback = async (id: string): Promise<void> => {
        const [key = '', number = '0'] = id.split('-');
        await new Promise((resolve) => setTimeout(resolve, 1));
        seen.set(key, [...(seen.get(key) ?? []), Number(number)]);
      };
      const fields = { concurrency: 4 };
      const start = (driver: Driver): Consumers => {
        const consumers = consumersOn(driver);
        consumers.register(registration(topic, 'login', callback, fields));
        return consumers;
      };
      const first = start(one);
      const total = 60;
      let second: Consumers | undefined;
      for (let number = 0; number < total; number += 1) {
        if (number === 15) second = start(two);
        if (number === 45) await second?.close(drain);
        await Promise.all(
          [0, 1, 2, 3].map((partition) => {
            const records = [event(`k${partition}-${number}`, 'login', `k${partition}`)];
            return one.append({ topic, partition, records, timeoutMs: 10_000 });
          }),
        );
      }
      const complete = Array.from({ length: total }, (_, number) => number);
      for (const key of ['k0', 'k1', 'k2', 'k3']) {
        await until(() => expect(new Set(seen.get(key))).toEqual(new Set(complete)));
        // Whatever came twice, nothing came for the first time after what follows it.
        expect([...new Set(seen.get(key))]).toEqual(complete);
      }
      await first.close(drain);
    },
  );
}
