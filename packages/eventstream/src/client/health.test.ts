import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createManualDriver, type ManualDriver } from '../../test/manual-driver.js';
import { openMemoryClient } from '../../test/memory-client.js';
import { until } from '../../test/until.js';
import { createNoneDriver } from '../drivers/none.js';
import { toPrometheusText } from '../metrics/metric-family.js';
import type { Client } from './client.js';
import { createClientOn } from './create-client.js';

const logger = { error: vi.fn(), warn: vi.fn(), info: vi.fn(), debug: vi.fn() };

let manual: ManualDriver;
let client: Client;
beforeEach(() => {
  manual = createManualDriver();
  const driver = { ...createNoneDriver(), subscribe: manual.subscribe };
  client = createClientOn('shop', driver, { logger });
  client.register({ topic: 'orders', groupId: 'mail', callback: vi.fn() });
});
afterEach(async () => {
  vi.useRealTimers();
  await client.close();
});

it('shows records that retention deleted unread, for a while', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  const handler = manual.subscriptions[0]?.handler;
  handler?.assigned([2]);
  handler?.recordsLost?.(2, { from: 3n, to: 9n });
  const noticedAt = new Date();
  const details = { topic: 'shop.orders', groupId: 'shop.mail', partition: 2 };
  expect(logger.warn).toHaveBeenCalledExactlyOnceWith(
    { ...details, from: 3n, to: 9n, records: 6 },
    expect.stringContaining('records were lost'),
  );
  expect(toPrometheusText(await client.metrics())).toContain(
    'posthaste_eventstream_lost_records_total{topic="shop.orders",group="shop.mail"} 6\n',
  );
  expect(await client.health()).toMatchObject({
    healthy: true,
    consumers: [{ lostRecords: [{ partition: 2, records: 6, noticedAt }] }],
  });
  vi.setSystemTime(noticedAt.getTime() + 900_001);
  expect((await client.health()).consumers[0]?.lostRecords).toEqual([]);
});

it('shows why a partition is blocked', async () => {
  const { client: blocked, memory } = await openMemoryClient();
  memory.failAppends({ code: 'STREAM_UNAUTHORIZED', topic: 'shop.orders.dlq' });
  const callback = vi.fn().mockRejectedValue(new Error('never'));
  const subscription = { topic: 'orders', groupId: 'mail', retry: { maxAttempts: 1 }, callback };
  blocked.register({ ...subscription, offset: -2 });
  await blocked.publish({ topic: 'orders', eventName: 'placed' });
  const message = 'injected fault on shop.orders.dlq';
  const block = { partition: 0, topic: 'shop.orders.dlq' };
  await until(async () => {
    expect(await blocked.health()).toMatchObject({
      healthy: false,
      consumers: [{ blocks: [{ ...block, error: { code: 'STREAM_UNAUTHORIZED', message } }] }],
    });
  });
  await until(async () => {
    expect(await blocked.health()).toMatchObject({ healthy: true, consumers: [{ blocks: [] }] });
  });
  expect(memory.records('shop.orders.dlq')).toHaveLength(1);
  await blocked.close();
});
