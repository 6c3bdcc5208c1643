import { stepReplay } from '@posthaste/callbacks';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openTestCallbacks, type TestCallbacks } from '../../../test/test-callbacks.js';

interface Replay {
  readonly id: string;
}

describeWithPostgres('/v1/replays', () => {
  let gateway: TestCallbacks;
  const create = (body: object) => gateway.call<Replay>('POST', '/v1/replays', body);

  beforeAll(async () => {
    gateway = await openTestCallbacks();
  });
  afterAll(() => gateway.close());

  it('replays callbacks that match the filter, and shows its progress', async () => {
    const ids: string[] = [];
    for (const host of ['a.example', 'b.example', 'a.example']) {
      const body = { url: `https://${host}/`, application: 'replayed' };
      const { json } = await gateway.call<{ id: string }>('POST', '/v1/callbacks', body);
      await gateway.call('POST', `/v1/callbacks/${json.id}/cancel`);
      ids.push(json.id);
    }
    const filter = {
      state: 'cancelled',
      application: 'replayed',
      host: 'a.example',
      createdFrom: '2020-01-01T00:00:00.000Z',
      createdTo: '2999-01-01T00:00:00.000Z',
    };
    const made = await create({ filter, ratePerSecond: 1_000 });
    expect(made).toMatchObject({
      status: 201,
      headers: { location: `/v1/replays/${made.json.id}` },
      json: { filter, ratePerSecond: 1_000, state: 'running', replayed: 0, scannedUntil: null },
    });
    for (let i = 0; i < 10; i += 1) await stepReplay(gateway.db, 100);
    const path = `/v1/replays/${made.json.id}`;
    expect((await gateway.call('GET', path)).json).toMatchObject({
      filter,
      state: 'done',
      scanned: 3,
      replayed: 2,
      scannedUntil: expect.any(String),
    });
    const states = await Promise.all(
      ids.map(async (id) => (await gateway.call('GET', `/v1/callbacks/${id}`)).json),
    );
    expect(states).toMatchObject([
      { state: 'pending' },
      { state: 'cancelled' },
      { state: 'pending' },
    ]);
    expect((await gateway.call('POST', `${path}/cancel`)).json).toMatchObject({ state: 'done' });
  });

  it('lists replays, newest first, and cancels one', async () => {
    const { json } = await create({ filter: { state: 'failed', statusCode: 500 } });
    const list = await gateway.call<{ items: Replay[]; next: string }>(
      'GET',
      '/v1/replays?limit=1',
    );
    expect(list.json.items).toMatchObject([{ id: json.id, ratePerSecond: 100 }]);
    const rest = await gateway.call<{ items: Replay[] }>(
      'GET',
      `/v1/replays?cursor=${list.json.next}`,
    );
    expect(rest.json.items.map(({ id }) => id)).not.toContain(json.id);
    const path = `/v1/replays/${json.id.replaceAll('-', '')}/cancel`;
    expect(await gateway.call('POST', path)).toMatchObject({
      status: 200,
      json: { id: json.id, state: 'cancelled' },
    });
  });

  it.each([
    [{}],
    [{ filter: {} }],
    [{ filter: { state: 'expired' } }],
    [{ filter: { state: 'failed', hots: 'x' } }],
    [{ filter: { state: 'failed', endpointId: 'x' } }],
    [{ filter: { state: 'failed' }, ratePerSecond: 0 }],
    [{ filter: { state: 'failed' }, ratePerSecond: 10_001 }],
  ])('refuses %j', async (body) => {
    expect(await create(body)).toMatchObject({ status: 422, json: { code: 'REQUEST_INVALID' } });
  });

  it('answers 404 for unknown replays', async () => {
    for (const id of ['x', '01890000-0000-7000-8000-000000000000']) {
      for (const [method, action] of [
        ['GET', ''],
        ['POST', '/cancel'],
      ] as const) {
        expect(await gateway.call(method, `/v1/replays/${id}${action}`)).toMatchObject({
          status: 404,
          json: { code: 'REPLAY_NOT_FOUND' },
        });
      }
    }
  });
});
