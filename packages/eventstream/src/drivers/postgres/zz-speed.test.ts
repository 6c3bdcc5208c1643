import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { expect, it } from 'vitest';
import { openTestLog } from '../../../test/open-log.js';
import { offsetBeginning } from '../../driver.js';
import { createPostgresDriver } from './postgres-driver.js';

describeWithPostgres('speed', () => {
  it('runs', async () => {
    const test = await openTestLog('postgres');
    const driver = createPostgresDriver(test.log);
    await driver.partitionCount('orders');
    const total = 100_000;
    const value = Buffer.from('x'.repeat(500));
    const headers = {
      ce_specversion: '1.0',
      ce_type: 'order.created',
      ce_source: '/namespaces/shop',
      ce_id: '0123456789abcdef0123456789abcdef',
    };
    const records = Array.from({ length: 500 }, (_, i) => ({
      key: Buffer.from(`key ${i}`),
      value,
      headers,
    }));
    let t = performance.now();
    for (let i = 0; i < total / 500; i++)
      await driver.append({ topic: 'orders', partition: 0, records, timeoutMs: 10_000 });
    let s = (performance.now() - t) / 1000;
    console.log('append/s', Math.round(total / s));
    t = performance.now();
    for (let i = 0; i < 40; i++)
      await test.db.transaction((tx) =>
        test.log.append(
          tx,
          records.map((r) => ({ ...r, topic: 'orders' })),
        ),
      );
    console.log('append tx locked keys/s', Math.round(20_000 / ((performance.now() - t) / 1000)));
    const all = total + 20_000;
    let seen = 0;
    const done = Promise.withResolvers<void>();
    t = performance.now();
    const sub = driver.subscribe(
      {
        topic: 'orders',
        groupId: 'g',
        groupInstanceId: undefined,
        startOffset: offsetBeginning,
        drainMs: 1000,
      },
      {
        assigned() {},
        async revoked() {},
        lost() {},
        interrupted(e) {
          console.log(e);
        },
        async records(p, rs) {
          seen += rs.length;
          await sub.commit(new Map([[p, (rs.at(-1)?.offset ?? 0n) + 1n]]));
          if (seen === all) done.resolve();
        },
      },
    );
    await done.promise;
    s = (performance.now() - t) / 1000;
    console.log('consume/s', Math.round(all / s));
    await sub.close();
    for (const limit of [100, 500]) {
      t = performance.now();
      let n = 0;
      const groupId = `t${limit}`;
      for (;;) {
        const b = await test.db.transaction((tx) =>
          test.log.readGroupBatch(tx, {
            topics: ['orders'],
            groupId,
            limit,
            startOffset: offsetBeginning,
          }),
        );
        if (b.records.length === 0) break;
        n += b.records.length;
      }
      console.log('batch consume/s', limit, Math.round(n / ((performance.now() - t) / 1000)), n);
    }
    // together
    const lat: number[] = [];
    seen = 0;
    const end = Promise.withResolvers<void>();
    const sub2 = driver.subscribe(
      {
        topic: 'orders',
        groupId: 'h',
        groupInstanceId: undefined,
        startOffset: -1n,
        drainMs: 1000,
      },
      {
        assigned() {},
        async revoked() {},
        lost() {},
        interrupted(e) {
          console.log(e);
        },
        async records(p, rs) {
          seen += rs.length;
          for (const r of rs) lat.push(Date.now() - r.timestampMs);
          await sub2.commit(new Map([[p, (rs.at(-1)?.offset ?? 0n) + 1n]]));
          if (seen === total) end.resolve();
        },
      },
    );
    await new Promise((r) => setTimeout(r, 500));
    t = performance.now();
    for (let i = 0; i < total / 500; i++)
      await driver.append({ topic: 'orders', partition: 0, records, timeoutMs: 10_000 });
    console.log('append while consuming/s', Math.round(total / ((performance.now() - t) / 1000)));
    await end.promise;
    console.log('both/s', Math.round(total / ((performance.now() - t) / 1000)));
    lat.sort((a, b) => a - b);
    console.log('latency p50 p99', lat[lat.length >> 1], lat[Math.floor(lat.length * 0.99)]);
    await sub2.close();
    expect(1).toBe(1);
    await test.close();
  }, 120_000);
});
