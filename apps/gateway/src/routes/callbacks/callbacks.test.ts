import { startReceiver } from '@posthaste/testbed/receiver';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  createCallback,
  getCallback,
  openTestCallbacks,
  type TestCallbacks,
} from '../../../test/test-callbacks.js';
import { startTestWorker } from '../../../test/test-worker.js';

interface Callback {
  readonly id: string;
  readonly state: string;
}

interface Page {
  readonly items: readonly { readonly id: string; readonly state: string }[];
  readonly next: string | null;
}

const url = 'https://example.com/hook';
const moment = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

describeWithPostgres('/v1/callbacks', () => {
  let gateway: TestCallbacks;
  const create = (body: object) => createCallback(gateway, body);
  const get = (id: string) => getCallback<Callback>(gateway, id);

  beforeAll(async () => {
    gateway = await openTestCallbacks();
  });
  afterAll(() => gateway.close());

  it('finds a callback by its id in any spelling, and answers 404 to any other text', async () => {
    const id = await create({ url });
    expect((await get(id.replaceAll('-', '').toUpperCase())).id).toBe(id);
    for (const other of ['x', `${id}0`, '01890000-0000-7000-8000-000000000000']) {
      for (const [method, action] of [
        ['GET', ''],
        ['POST', '/cancel'],
        ['POST', '/retry'],
        ['POST', '/replay'],
      ] as const) {
        expect(await gateway.call(method, `/v1/callbacks/${other}${action}`)).toMatchObject({
          status: 404,
          json: { code: 'CALLBACK_NOT_FOUND' },
        });
      }
    }
  });

  describe('lists', () => {
    const list = (query: string) => gateway.call<Page>('GET', `/v1/callbacks?${query}`);
    const idsOf = ({ items }: Page) => items.map(({ id }) => id);
    const application = 'listed';
    const ids: string[] = [];

    beforeAll(async () => {
      for (const [i, host] of ['a.example', 'b.example', 'a.example', 'c.example'].entries()) {
        ids.unshift(await create({ url: `https://${host}/x`, application, queue: `q${i % 2}` }));
      }
    });

    it('callbacks newest first, page by page', async () => {
      const first = (await list(`application=${application}&limit=3`)).json;
      expect(idsOf(first)).toEqual(ids.slice(0, 3));
      const second = (await list(`application=${application}&limit=3&cursor=${first.next}`)).json;
      expect(second).toEqual({ items: [expect.objectContaining({ id: ids[3] })], next: null });
    });

    it('callbacks by queue, state, host, status code and time', async () => {
      const found = async (query: string) =>
        idsOf((await list(`application=${application}&${query}`)).json);
      expect(await found('queue=q1')).toEqual([ids[0], ids[2]]);
      expect(await found('queue=q1&state=waiting')).toEqual([ids[0]]);
      expect(await found('queue=q1&state=pending')).toEqual([ids[2]]);
      expect(await found('host=a.example')).toEqual([ids[1], ids[3]]);
      expect(await found('statusCode=500')).toEqual([]);
      expect(await found('createdFrom=2020-01-01T00:00:00Z')).toEqual(ids);
      expect(await found('createdTo=2020-01-01T00:00:00Z')).toEqual([]);
      expect(await found('endpointId=019a8d3c-5a01-7c3e-9d4b-2f6f1f0a7c11')).toEqual([]);
    });

    it('a summary of each callback', async () => {
      const { json } = await list(`application=${application}&queue=q1&state=pending`);
      expect(json.items).toEqual([
        {
          id: ids[2],
          application,
          queue: 'q1',
          endpointId: null,
          state: 'pending',
          hold: null,
          method: 'POST',
          url: 'https://b.example/x',
          createdAt: moment,
          dueAt: moment,
          endedAt: null,
          lastAttempt: null,
        },
      ]);
    });

    it('URLs without their query, which the callback by itself has', async () => {
      const url = 'https://a.example/x?token=secret#part';
      const id = await create({ url, application: 'hidden' });
      const { json } = await list('application=hidden');
      expect(json.items).toMatchObject([{ id, url: 'https://a.example/x?***' }]);
      expect((await gateway.call('GET', `/v1/callbacks/${id}`)).json).toMatchObject({
        request: { url },
      });
    });

    it.each([
      'limit=0',
      'limit=501',
      'limit=x',
      'state=gone',
      'cursor=x',
      'endpointId=x',
      'statusCode=-1',
      'createdFrom=yesterday',
      'limt=1',
      'host=a&host=b',
    ])('no callbacks for the invalid query %s', async (query) => {
      expect(await list(query)).toMatchObject({ status: 422, json: { code: 'REQUEST_INVALID' } });
    });
  });

  it('cancels a callback, and replays one that has ended', async () => {
    const id = await create({ url, application: 'ended', queue: 'q' });
    const behind = await create({ url, application: 'ended', queue: 'q' });
    const act = (action: string) => gateway.call<Callback>('POST', `/v1/callbacks/${id}/${action}`);
    const conflict = { status: 409, json: { code: 'CALLBACK_STATE' } };
    expect(await act('replay')).toMatchObject(conflict);
    expect(await act('cancel')).toMatchObject({ status: 200, json: { id, state: 'cancelled' } });
    expect(await act('cancel')).toMatchObject(conflict);
    expect(await act('retry')).toMatchObject(conflict);
    expect((await get(behind)).state).toBe('pending');
    expect(await act('replay')).toMatchObject({ status: 200, json: { id, state: 'waiting' } });
  });

  it('retries a callback that is not due yet', async () => {
    const id = await create({ url, deliverAfter: '2030-01-01T00:00:00Z' });
    const { status, json } = await gateway.call<{ dueAt: string }>(
      'POST',
      `/v1/callbacks/${id}/retry`,
    );
    expect(status).toBe(200);
    expect(Date.parse(json.dueAt)).toBeLessThan(Date.parse('2029-01-01T00:00:00Z'));
  });
});

describeWithPostgres('a callback that was delivered', () => {
  it('shows its attempts, their answers and the leases', async () => {
    const gateway = await openTestCallbacks({ allowLoopback: true });
    const receiver = await startReceiver([
      { kind: 'respond', status: 503, body: Buffer.from([0xff]) },
      { kind: 'respond', headers: { 'x-a': 'b' }, body: 'thanks' },
    ]);
    const worker = await startTestWorker(gateway.db);
    try {
      const { json } = await gateway.call<{ id: string }>('POST', '/v1/callbacks', {
        url: `${receiver.url}/hook`,
        json: { order: 1 },
        retry: { phases: [{ retries: 1, delayMs: 1 }] },
      });
      const get = () => gateway.call<Callback>('GET', `/v1/callbacks/${json.id}`);
      await vi.waitFor(async () => expect((await get()).json.state).toBe('delivered'), 10_000);
      const lease = {
        machine: 'test worker',
        acquiredAt: moment,
        until: moment,
        completedAt: moment,
      };
      const attempt = { startedAt: moment, durationMs: expect.any(Number), resent: false };
      const answer = { truncated: false, cut: false };
      expect((await get()).json).toMatchObject({
        endedAt: moment,
        attempts: [
          {
            ...attempt,
            statusCode: 503,
            reason: 'status',
            response: { ...answer, text: null, base64: '/w==' },
          },
          {
            ...attempt,
            statusCode: 200,
            reason: null,
            detail: null,
            response: {
              ...answer,
              headers: expect.arrayContaining([['x-a', 'b']]),
              text: 'thanks',
              base64: null,
            },
          },
        ],
        leases: [lease, lease],
      });
      const listed = await gateway.call<Page>(
        'GET',
        '/v1/callbacks?statusCode=200&state=delivered',
      );
      expect(listed.json.items).toMatchObject([
        { id: json.id, lastAttempt: { startedAt: moment, statusCode: 200, reason: null } },
      ]);
    } finally {
      await worker.close();
      await receiver.close();
      await gateway.close();
    }
  });
});
