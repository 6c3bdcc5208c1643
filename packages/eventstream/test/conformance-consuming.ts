import { expect, it } from 'vitest';
import { Consumers, type ConsumersOptions } from '../src/consume/consumers.js';
import { silentObserver } from '../src/consume/observer.js';
import type { Registration } from '../src/consume/registration.js';
import { type Driver, offsetBeginning } from '../src/driver.js';
import { decodeEnvelope } from '../src/envelope/decode.js';
import type { OutgoingRecord, StoredRecord } from '../src/record.js';
import { appendTo, type Conformance, groupOf } from './conformance-target.js';

const patience = { timeout: 120_000 };

function event(id: string, name: string, key: string = id): OutgoingRecord {
  const envelope = { id, name, namespace: 'game', timestamp: '2026-01-02T03:04:05Z', version: 1 };
  return { key: Buffer.from(key), value: Buffer.from(JSON.stringify(envelope)), headers: {} };
}

function consumersOn(driver: Driver, options: Partial<ConsumersOptions> = {}): Consumers {
  return new Consumers({
    driver,
    decode: decodeEnvelope,
    appender: {
      append: (topic, record) => appendTo(driver, { topic, partition: 0, records: [record] }),
    },
    ...options,
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
    await appendTo(driver, { topic, partition: 0, records });
    await until(() => expect(got).toEqual(['good']));
    await until(() => expect(dead).toHaveLength(1));
    expect(dead[0]).toMatchObject({
      key: records[0]?.key,
      value: records[0]?.value,
      headers: { 'x-original-topic': topic, 'x-error': 'never', 'x-attempts': '2' },
    });
    await consumers.close(drain);
  });

  it('puts what cannot be read into the dead letters, when asked', patience, async () => {
    const driver = await connect();
    const topic = await newTopic(1);
    await newTopic(1, `${topic}.dlq`);
    const consumers = consumersOn(driver);
    const got: string[] = [];
    const fields = { sendErrorDlq: true };
    consumers.register(registration(topic, 'login', (id) => got.push(id), fields));
    const dead: (Buffer | null)[] = [];
    const callback = (_ctx: unknown, value: Buffer | null): unknown => dead.push(value);
    const raw = registration(`${topic}.dlq`, '', () => undefined);
    consumers.register({ ...raw, handler: { kind: 'raw', callback } });
    const poison = { key: null, value: Buffer.from('{"name": 1}'), headers: {} };
    const records = [poison, event('good', 'login')];
    await appendTo(driver, { topic, partition: 0, records });
    await until(() => expect([got, dead]).toEqual([['good'], [poison.value]]));
    await consumers.close(drain);
  });

  it('holds a partition while its dead letters cannot be written', patience, async () => {
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
    consumers.register(registration(topic, '', callback));
    const records = [event('bad', 'login'), event('good', 'login')];
    await appendTo(driver, { topic, partition: 0, records });
    await until(() => expect(got).toEqual(['good', 2]));
    await consumers.close(drain);
  });

  it(
    'finishes a callback before its partition goes, and does not repeat it',
    patience,
    async () => {
      const [one, two] = await Promise.all([connect(), connect()]);
      const topic = await newTopic(2);
      const counts = new Map<string, number>();
      const released = Promise.withResolvers<void>();
      const callback = async (id: string): Promise<void> => {
        counts.set(id, (counts.get(id) ?? 0) + 1);
        if (id.startsWith('slow')) await released.promise;
      };
      const first = consumersOn(one);
      first.register(registration(topic, '', callback));
      for (const partition of [0, 1]) {
        const records = [event(`slow${partition}`, 'login'), event(`next${partition}`, 'login')];
        await appendTo(one, { topic, partition, records });
      }
      await until(() => expect(counts.size).toBe(2));
      const second = consumersOn(two);
      second.register(registration(topic, '', callback));
      // Time enough to ask for the partitions; they must not go meanwhile.
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      expect(counts.size).toBe(2);
      released.resolve();
      await until(() => expect(counts.size).toBe(4));
      await Promise.all([first.close(drain), second.close(drain)]);
      expect([...counts.values()]).toEqual([1, 1, 1, 1]);
    },
  );

  it('gives a record again whose callback did not end, and ignores its end', patience, async () => {
    const [one, two] = await Promise.all([connect(), connect()]);
    const topic = await newTopic(1);
    const calls: PromiseWithResolvers<void>[] = [];
    const callback = (): Promise<void> => {
      const call = Promise.withResolvers<void>();
      calls.push(call);
      return call.promise;
    };
    const first = consumersOn(one);
    first.register(registration(topic, '', callback));
    const records = [event('1', 'login')];
    await appendTo(one, { topic, partition: 0, records });
    await until(() => expect(calls).toHaveLength(1));
    await first.close({ drainMs: 100 });
    const second = consumersOn(two);
    second.register(registration(topic, '', callback));
    await until(() => expect(calls).toHaveLength(2));
    calls[0]?.resolve();
    await new Promise((resolve) => setTimeout(resolve, 100));
    const lag = async (): Promise<bigint | undefined> =>
      (await two.lag(topic, groupOf(topic)))[0]?.partitions[0]?.lag;
    expect(await lag()).toBe(1n);
    calls[1]?.resolve();
    await until(async () => expect(await lag()).toBe(0n));
    await second.close(drain);
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
    await appendTo(driver, { topic, partition: 0, records });
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
            return appendTo(one, { topic, partition, records });
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
