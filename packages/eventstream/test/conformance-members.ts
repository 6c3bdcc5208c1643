import { expect } from 'vitest';
import type { Consumers } from '../src/consume/consumers.js';
import type { Driver } from '../src/driver.js';
import { consumersOn, drain, event, registration } from './conformance-consumers.js';
import { testOptions } from './conformance-requests.js';
import { appendTo, type ConformanceTest, groupOf } from './conformance-target.js';

/** Registers the tests of consumers while others join and leave their group. */
export function testMembers(it: ConformanceTest): void {
  it(
    'finishes a callback before its partition is revoked, and does not repeat it',
    testOptions,
    async ({ connect, newTopic, until }) => {
      const [one, two] = await Promise.all([connect(), connect()]);
      const topic = await newTopic(2);
      const counts = new Map<string, number>();
      const released = Promise.withResolvers<void>();
      const callback = async (id: string): Promise<void> => {
        counts.set(id, (counts.get(id) ?? 0) + 1);
        if (id.startsWith('slow')) await released.promise;
      };
      const first = consumersOn(one);
      first.register(registration({ topic, eventName: '' }, callback));
      for (const partition of [0, 1]) {
        const records = [event(`slow${partition}`, 'login'), event(`next${partition}`, 'login')];
        await appendTo(one, { topic, partition, records });
      }
      await until(() => expect(counts.size).toBe(2));
      const second = consumersOn(two);
      second.register(registration({ topic, eventName: '' }, callback));
      // Time in which the second asks for partitions; the first must not release them yet.
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      expect(counts.size).toBe(2);
      released.resolve();
      await until(() => expect(counts.size).toBe(4));
      await Promise.all([first.close(drain), second.close(drain)]);
      expect([...counts.values()]).toEqual([1, 1, 1, 1]);
    },
  );

  it(
    'delivers a record again whose callback did not end, and ignores its later end',
    testOptions,
    async ({ connect, newTopic, until }) => {
      const [one, two] = await Promise.all([connect(), connect()]);
      const topic = await newTopic(1);
      const calls: PromiseWithResolvers<void>[] = [];
      const callback = (): Promise<void> => {
        const call = Promise.withResolvers<void>();
        calls.push(call);
        return call.promise;
      };
      const first = consumersOn(one);
      first.register(registration({ topic, eventName: '' }, callback));
      const records = [event('1', 'login')];
      await appendTo(one, { topic, partition: 0, records });
      await until(() => expect(calls).toHaveLength(1));
      await first.close({ drainMs: 100 });
      const second = consumersOn(two);
      second.register(registration({ topic, eventName: '' }, callback));
      await until(() => expect(calls).toHaveLength(2));
      calls[0]?.resolve();
      await new Promise((resolve) => setTimeout(resolve, 100));
      const lag = async (): Promise<bigint | undefined> =>
        (await two.lag(topic, groupOf(topic)))[0]?.partitions[0]?.lag;
      expect(await lag()).toBe(1n);
      calls[1]?.resolve();
      await until(async () => expect(await lag()).toBe(0n));
      await second.close(drain);
    },
  );

  it(
    'loses nothing and keeps the order of every key while members join and leave',
    testOptions,
    async ({ connect, newTopic, until }) => {
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
        consumers.register(registration({ topic, eventName: 'login' }, callback, fields));
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
        // Records may be delivered twice, but none for the first time after a later one.
        expect([...new Set(seen.get(key))]).toEqual(complete);
      }
      await first.close(drain);
    },
  );
}
