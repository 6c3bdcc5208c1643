import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { expect, it } from 'vitest';
import { putDeadLetters } from '../../../test/dead-letters.js';
import { openTestEvents } from '../../../test/test-events.js';

const path = '/v1/events/dead-letters/replays';
const waitOptions = { timeout: 15_000 };

describeWithPostgres('a replay of dead letters', () => {
  it('is continued by another gateway, each dead letter once', async () => {
    const gateway = await openTestEvents({ config: { pollMs: 50 } });
    const names = Array.from({ length: 300 }, (_, i) => `e${i}`);
    await putDeadLetters(
      gateway,
      names.map((name, i) => ({ name, key: `k${i % 9}` })),
    );
    const { json } = await gateway.call<{ id: string }>('POST', path, {
      topic: 'orders',
      ratePerSecond: 200,
    });
    const others = await Promise.all([gateway.another(), gateway.another()]);
    await gateway.events.close();
    await expect
      .poll(async () => (await gateway.call('GET', `${path}/${json.id}`)).json, waitOptions)
      .toMatchObject({ state: 'done', replayed: 300 });
    const { records } = await gateway.log.listEvents({
      within: 'all',
      topics: ['orders'],
      limit: 1_000,
    });
    expect(records).toHaveLength(300);
    for (const other of others) await other.close();
    await gateway.close();
  });
});
