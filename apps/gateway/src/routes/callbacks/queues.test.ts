import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  createCallback,
  openTestCallbacks,
  type TestCallbacks,
} from '../../../test/test-callbacks.js';

interface Page {
  readonly items: readonly { readonly application: string; readonly queue: string }[];
  readonly next: string | null;
}

const url = 'https://example.com/hook';

describeWithPostgres('/v1/queues', () => {
  let gateway: TestCallbacks;
  const create = (application: string, queue: string, more: object = {}) =>
    createCallback(gateway, { url, application, queue, ...more });
  const pathOf = (action: string, application: string, queue: string) =>
    `/v1/queues/${action}?${new URLSearchParams({ application, queue })}`;
  const details = (application: string, queue: string) =>
    gateway.call('GET', pathOf('details', application, queue));

  beforeAll(async () => {
    gateway = await openTestCallbacks();
  });
  afterAll(() => gateway.close());

  it('shows a queue with its depth and its head', async () => {
    const id = await create('shown', 'q');
    await create('shown', 'q');
    expect(await details('shown', 'q')).toMatchObject({
      status: 200,
      json: {
        application: 'shown',
        queue: 'q',
        state: 'active',
        paused: false,
        onFailure: 'skip',
        depth: 2,
        depthCapped: false,
        head: {
          id,
          createdAt: expect.any(String),
          ageMs: expect.any(Number),
          dueAt: expect.any(String),
          failures: 0,
          hold: null,
        },
      },
    });
  });

  it.each([
    ['', 'no application'],
    ['a/b', '..'],
    ['a&b=c', 'q?x=1#y%2F'],
    ['ä'.repeat(256), '✓'.repeat(256)],
  ])('finds queues of any name: %s, %s', async (application, queue) => {
    await create(application, queue);
    expect(await details(application, queue)).toMatchObject({
      status: 200,
      json: { application, queue, depth: 1 },
    });
    if (application === '') {
      expect((await gateway.call('GET', '/v1/queues/details?queue=no%20application')).status).toBe(
        200,
      );
    }
  });

  it('lists queues page by page, by application and state', async () => {
    for (const queue of ['a', 'b', 'c']) await create('listed', queue);
    await gateway.call('POST', pathOf('pause', 'listed', 'b'));
    const list = async (query: string) => {
      const { json } = await gateway.call<Page>('GET', `/v1/queues?application=listed&${query}`);
      return { queues: json.items.map(({ queue }) => queue), next: json.next };
    };
    const first = await list('limit=2');
    expect(first.queues).toEqual(['a', 'b']);
    expect(await list(`limit=2&cursor=${first.next}`)).toEqual({ queues: ['c'], next: null });
    expect((await list('state=paused')).queues).toEqual(['b']);
    expect((await list('state=active')).queues).toEqual(['a', 'c']);
    for (const query of ['limit=101', 'state=gone', 'cursor=x', 'queue=a']) {
      expect((await gateway.call('GET', `/v1/queues?${query}`)).status).toBe(422);
    }
  });

  it('pauses and resumes a queue', async () => {
    const id = await create('paused', 'q');
    const state = async () => ({
      queue: (await details('paused', 'q')).json,
      callback: (await gateway.call('GET', `/v1/callbacks/${id}`)).json,
    });
    const pause = await gateway.call('POST', pathOf('pause', 'paused', 'q'));
    expect([pause.status, pause.body]).toEqual([204, '']);
    expect(await state()).toMatchObject({
      queue: { state: 'paused', paused: true },
      callback: { state: 'held', hold: 'paused' },
    });
    expect((await gateway.call('POST', pathOf('resume', 'paused', 'q'))).status).toBe(204);
    expect(await state()).toMatchObject({
      queue: { state: 'active', paused: false },
      callback: { state: 'pending', hold: null },
    });
  });

  it('sets what happens when a head fails for good', async () => {
    const path = pathOf('settings', 'parking', 'q');
    expect((await gateway.call('PUT', path, { onFailure: 'park' })).status).toBe(204);
    expect((await details('parking', 'q')).json).toMatchObject({ onFailure: 'park', head: null });
    expect((await gateway.call('PUT', path, { onFailure: 'stop' })).status).toBe(422);
    expect((await gateway.call('PUT', path, {})).status).toBe(422);
  });

  it('unblocks a queue whose head waits', async () => {
    const deliverAfter = '2030-01-01T00:00:00Z';
    const head = await create('blocked', 'q', { deliverAfter });
    const next = await create('blocked', 'q', { deliverAfter });
    const unblock = (body: object) => gateway.call('POST', pathOf('unblock', 'blocked', 'q'), body);
    expect(await unblock({ mode: 'skip', headId: next })).toMatchObject({
      status: 409,
      json: { code: 'QUEUE_STATE' },
    });
    expect(await unblock({ mode: 'skip', headId: head.replaceAll('-', '') })).toMatchObject({
      status: 200,
      json: { headId: head },
    });
    expect(await unblock({ mode: 'retry' })).toMatchObject({ status: 200, json: { headId: next } });
    expect(await unblock({ mode: 'retry' })).toMatchObject({
      status: 409,
      json: { code: 'QUEUE_STATE' },
    });
    expect((await unblock({ mode: 'wait' })).status).toBe(422);
  });

  it('answers 404 for unknown queues, and refuses invalid names', async () => {
    const missing = { status: 404, json: { code: 'QUEUE_NOT_FOUND' } };
    expect(await details('none', 'none')).toMatchObject(missing);
    const unblock = pathOf('unblock', 'none', 'none');
    expect(await gateway.call('POST', unblock, { mode: 'skip' })).toMatchObject(missing);
    for (const path of [
      '/v1/queues/details',
      '/v1/queues/details?queue=',
      pathOf('details', '', 'x'.repeat(257)),
      pathOf('pause', '', 'a\u0000b'),
    ]) {
      const method = path.includes('pause') ? 'POST' : 'GET';
      expect((await gateway.call(method, path)).status, path).toBe(422);
    }
  });
});
