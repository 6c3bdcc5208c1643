import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { batchOf, idsIn, openTestBrokers, type TestBrokers } from '../../test/test-brokers.js';
import { toRecordKey } from './batch-record.js';

const wait = { timeout: 30_000 };

describeWithPostgres('questions of many subscribers that resume from far back', () => {
  let test: TestBrokers;
  beforeEach(async () => {
    test = await openTestBrokers('postgres');
  });
  afterEach(() => test.close());

  it('read no more of the log than a realm may, and keep no other realm waiting', async () => {
    const { broker: writer } = await test.start();
    const event = JSON.stringify('x'.repeat(300_000));
    for (let i = 0; i < 60; i += 1) {
      await writer.append({ ...batchOf('/default/large', []), events: [{ id: `${i}`, event }] });
    }
    await writer.append(batchOf('/default/small', ['shop']));
    await writer.append(batchOf('/default/small', ['game'], 'game'));
    // It has none of them in memory.
    const { broker, log } = await test.start();
    const find = log.findByKey.bind(log);
    let [running, most] = [0, 0];
    const spy = vi.spyOn(log, 'findByKey').mockImplementation(async (query) => {
      running += 1;
      most = Math.max(most, running);
      try {
        return await find(query);
      } finally {
        running -= 1;
      }
    });
    const ask = async (realm: string, path: string) => {
      const { channel } = batchOf(path, []);
      const question = { realm, channel, after: -1n, before: broker.position, maxEvents: 100 };
      return idsIn(await broker.findMissed(question));
    };
    const flood = Array.from({ length: 200 }, () => ask('shop', '/default/large'));
    expect(await ask('game', '/default/small')).toEqual(['game']);
    const key = toRecordKey(batchOf('/default/small', [], 'game'));
    expect(spy.mock.calls.findIndex(([query]) => query.key.equals(key))).toBeLessThan(3);
    expect(new Set(await Promise.all(flood))).toEqual(new Set([undefined]));
    expect(spy.mock.calls.length).toBeLessThan(10);
    expect(most).toBeLessThanOrEqual(3);
    await expect.poll(() => ask('shop', '/default/small'), wait).toEqual(['shop']);
  });

  it('share their looks for the end of the log', async () => {
    const { broker, log } = await test.start();
    await broker.append(batchOf('/default/a', ['1']));
    const spy = vi.spyOn(log, 'findTail');
    const far = broker.position + 1_000_000n;
    const reached = await Promise.all(Array.from({ length: 200 }, () => broker.reach(far)));
    expect(new Set(reached)).toEqual(new Set([false]));
    expect(spy.mock.calls.length).toBeLessThanOrEqual(2);
  });
});
