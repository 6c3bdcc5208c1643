import { listAuditEntries } from '@posthaste/access';
import { startReceiver } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { expect, it, vi } from 'vitest';
import { EventPlatform } from './event-platform.js';

const waitOptions = { timeout: 30_000, interval: 50 };

describeWithPostgres('the audit log and a worker', () => {
  it('names the platform for an endpoint that is disabled because its receiver is gone', async ({
    onTestFinished,
  }) => {
    const platform = await EventPlatform.open(15_000);
    onTestFinished(() => platform.close());
    const receiver = await startReceiver(410);
    onTestFinished(() => receiver.close());
    const { db, log } = platform;
    const application = 'shop';
    const name = 'the gone one';
    const id = await platform.subscribe({ application, name, url: receiver.url }, 'order.*');
    await platform.startWorker();
    await platform.publish(...['a', 'b', 'c'].map((key) => ({ application, key })));
    const list = () => listAuditEntries(db, { within: [application], limit: 10 });
    await vi.waitFor(async () => expect((await list()).items).not.toEqual([]), waitOptions);
    const target = { kind: 'endpoint', id, name };
    const { items } = await list();
    expect(items).toMatchObject([
      {
        application,
        actor: { kind: 'platform' },
        action: 'endpoint.disabled',
        target,
        before: { state: 'active' },
        after: { state: 'disabled' },
        note: expect.stringContaining('410'),
      },
    ]);
    const { records } = await log.listEvents({
      within: [application],
      topics: ['audit'],
      from: 'beginning',
      limit: 10,
    });
    expect(records.map(({ value }) => JSON.parse(String(value)))).toMatchObject([
      { name: 'audit.recorded', namespace: application, payload: { id: items[0]?.id, target } },
    ]);
  });

  it('deletes entries above the configured age', async ({ onTestFinished }) => {
    const platform = await EventPlatform.open();
    onTestFinished(() => platform.close());
    const { db } = platform;
    await db.query(`
      insert into gateway.audit (id, time, actor_kind, actor_id, actor_name, action, target_kind,
        target_id, target_name, changed)
      select gateway.audit_id(t), t, 'platform', 'p', 'p', 'x.y', 'x', 'x', 'x', '{}'
      from (select now() - n * interval '1 hour' as t from generate_series(1, 3000) n) s`);
    await platform.startWorker({ POSTHASTE_AUDIT_RETENTION: '25h' });
    const count = async () => (await db.query('select from gateway.audit')).rowCount;
    // The age grows while the test runs.
    await vi.waitFor(async () => expect(await count()).toBeLessThan(26), waitOptions);
    expect(await count()).toBeGreaterThan(20);
  });
});
