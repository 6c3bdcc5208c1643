import type { TestDatabase } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { Call } from '../../test/caller.js';
import {
  createPlatformDatabase,
  openTestPlatform,
  type TestPlatform,
} from '../../test/test-platform.js';

const callback = { url: 'http://127.0.0.1:9/x', method: 'POST' };

describeWithPostgres('limits and removal of applications in a gateway', () => {
  let database: TestDatabase;
  let platform: TestPlatform;
  let operator: Call;
  let shop: Call;

  beforeAll(async () => {
    database = await createPlatformDatabase();
    platform = await openTestPlatform(database);
    operator = platform.as(await platform.createKey());
    for (const application of ['shop', 'gone']) {
      await operator('POST', '/v1/applications', { application });
    }
    shop = platform.as(await platform.createKey({ applications: ['shop'] }));
  });
  afterAll(async () => {
    await platform?.close();
    await database?.drop();
  });

  const setLimits = (limits: object) =>
    operator('PATCH', '/v1/applications?application=shop', { limits });
  const codeOf = (answer: { json: unknown }): string | undefined =>
    (answer.json as { code?: string }).code;

  it('holds for single callbacks, batches and the compatible API', async () => {
    await setLimits({ deliveriesPerSecond: 1 });
    // Within a second at least one of two is refused; the limit is known after a moment.
    await expect
      .poll(async () => {
        await shop('POST', '/v1/callbacks', callback);
        return codeOf(await shop('POST', '/v1/callbacks', callback));
      })
      .toBe('LIMIT_REACHED');
    // With its own key, it would be refused as a whole.
    const batch = await operator<{ items: { status: number; problem?: { code: string } }[] }>(
      'POST',
      '/v1/callbacks/batch',
      { items: Array.from({ length: 5 }, () => ({ ...callback, application: 'shop' })) },
    );
    expect(batch.status).toBe(200);
    expect(batch.json.items.filter(({ status }) => status === 429).length).toBeGreaterThanOrEqual(
      3,
    );
    const compatible = await Promise.all(
      Array.from({ length: 4 }, () =>
        shop('POST', '/callback', { url: callback.url, applicationid: 'shop' }),
      ),
    );
    expect(compatible.filter(({ status }) => status === 429).length).toBeGreaterThanOrEqual(2);
    await setLimits({ deliveriesPerSecond: null });
    await expect.poll(async () => (await shop('POST', '/v1/callbacks', callback)).status).toBe(201);
  });

  it('holds for events, each of a list by itself', async () => {
    await setLimits({ eventsPerSecond: 1 });
    const event = { topic: 'orders', name: 'placed', payload: {} };
    await expect
      .poll(async () => {
        const { json } = await shop<{ items?: { status: number }[] }>(
          'POST',
          '/v1/events',
          Array.from({ length: 5 }, () => event),
        );
        return (json.items ?? []).filter(({ status }) => status === 429).length;
      })
      .toBeGreaterThanOrEqual(3);
    await setLimits({ eventsPerSecond: null });
  });

  it('holds for endpoints', async () => {
    await setLimits({ endpoints: 2 });
    await expect
      .poll(async () => {
        const { limits } = (
          await operator<{ limits: object }>('GET', '/v1/applications/details?application=shop')
        ).json;
        return limits;
      })
      .toMatchObject({ endpoints: 2 });
    const create = async (n: number): Promise<number> =>
      (await shop('POST', '/v1/endpoints', { name: `e${n}`, url: callback.url })).status;
    let refused = 0;
    for (let n = 0; n < 200 && refused === 0; n += 1) if ((await create(n)) === 429) refused += 1;
    expect(refused).toBe(1);
    await setLimits({ endpoints: null });
  });

  it('holds for what is sent again and for tests of endpoints', async () => {
    // The limit of the test before is lifted after a moment.
    const endpoint = await vi.waitFor(async () => {
      const body = { name: 'tested', url: callback.url };
      const { json } = await shop<{ endpoint?: { id: string } }>('POST', '/v1/endpoints', body);
      if (json.endpoint === undefined) throw new Error(`refused: ${codeOf({ json })}`);
      return json.endpoint;
    }, 30_000);
    const created = await shop<{ id: string }>('POST', '/v1/callbacks', callback);
    await setLimits({ backlog: 1 });
    await platform.db.query(
      `insert into gateway.application_usage (application, backlog) values ('shop', 1)
       on conflict (application) do update set backlog = 1`,
    );
    for (const path of [
      `/v1/endpoints/${endpoint.id}/test`,
      `/v1/callbacks/${created.json.id}/replay`,
      '/v1/replays',
    ]) {
      const body = path === '/v1/replays' ? { filter: {} } : undefined;
      await expect
        .poll(async () => codeOf(await shop('POST', path, body)), {
          timeout: 30_000,
          message: path,
        })
        .toBe('LIMIT_REACHED');
    }
    await setLimits({ backlog: null });
  });

  it('shows usage and the progress of a removal', async () => {
    await platform.db.query(
      `insert into gateway.application_usage (application, backlog) values ('gone', 7)`,
    );
    const removal = await operator<{ id: string }>('DELETE', '/v1/applications?application=gone');
    expect(removal.status).toBe(202);
    const details = '/v1/applications/details?application=gone';
    expect((await operator('GET', details)).json).toMatchObject({
      state: 'deleting',
      usage: { backlog: 7, endpoints: 0, storedBytes: 0 },
      deletion: { erasureId: removal.json.id, stage: 'queued', erased: 0 },
    });
    expect((await operator('GET', '/v1/applications')).json).toMatchObject({
      items: [
        { application: 'gone', state: 'deleting' },
        { application: 'shop', deletion: null },
      ],
    });
    await expect
      .poll(async () =>
        codeOf(await operator('POST', '/v1/callbacks', { ...callback, application: 'gone' })),
      )
      .toBe('APPLICATION_DELETING');
  });
});
