import type { AddressInfo } from 'node:net';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openTestCallbacks, type TestCallbacks } from '../test/test-callbacks.js';
import { startTestWorker, type TestWorker } from '../test/test-worker.js';

const json = { 'content-type': 'application/json' };
const waitOptions = { timeout: 20_000, interval: 50 };

describeWithPostgres('callbacks to the platform itself', () => {
  let gateway: TestCallbacks;
  let worker: TestWorker;
  let base = '';

  beforeAll(async () => {
    gateway = await openTestCallbacks({ allowLoopback: true });
    await gateway.app.listen({ host: '127.0.0.1', port: 0 });
    base = `http://127.0.0.1:${(gateway.app.server.address() as AddressInfo).port}`;
    worker = await startTestWorker(gateway.db);
  });
  afterAll(async () => {
    await worker.close();
    await gateway.close();
  });

  const count = async (sql: string, ...values: string[]): Promise<number> =>
    (await gateway.db.query<{ n: number }>(`select count(*)::int as n from ${sql}`, values)).rows[0]
      ?.n ?? -1;
  const untilIdle = () => expect.poll(() => count('callbacks.head'), waitOptions).toBe(0);
  const send = (path: string, body: object, application: string) =>
    gateway.call<{ id: string }>('POST', '/v1/callbacks', {
      url: base + path,
      headers: json,
      json: body,
      application,
    });

  it('start no replay, so that none sends itself again', async () => {
    const body = (state: string) => ({ filter: { state, application: 'replays' } });
    for (let i = 0; i < 20; i++) await send('/v1/replays', body('delivered'), 'replays');
    const last = await send('/v1/replays', body('failed'), 'replays');
    await untilIdle();
    expect(await count('callbacks.replay')).toBe(0);
    expect((await gateway.call('GET', `/v1/callbacks/${last.json.id}`)).json).toMatchObject({
      state: 'failed',
      attempts: [{ statusCode: 508 }],
    });
  });

  it('end after a few when an endpoint tests itself', async () => {
    const made = await gateway.call<{ endpoint: { id: string } }>('POST', '/v1/endpoints', {
      name: 'self',
      url: base,
      retry: { phases: [] },
    });
    const { id } = made.json.endpoint;
    await gateway.call('PATCH', `/v1/endpoints/${id}`, { url: `${base}/v1/endpoints/${id}/test` });
    await gateway.call('POST', `/v1/endpoints/${id}/test`);
    await untilIdle();
    // The one that was asked for, and one for each of the five hops that are allowed.
    expect(await count('callbacks.request where endpoint_id = $1', id)).toBe(6);
  });

  it('end after a few whatever way they make callbacks', async () => {
    // Each body creates a callback to the same route with the body inside, deeper than the limit.
    const nest = (wrap: (body: object) => object, depth: number): object =>
      depth === 0 ? wrap({}) : wrap(nest(wrap, depth - 1));
    const toItem = (path: string, application: string) => (body: object) => ({
      url: base + path,
      headers: json,
      json: body,
      application,
    });
    const single = toItem('/v1/callbacks', 'single');
    await gateway.call('POST', '/v1/callbacks', nest(single, 9));
    const listed = toItem('/v1/callbacks/batch', 'listed');
    await gateway.call(
      'POST',
      '/v1/callbacks/batch',
      nest((body) => ({ items: [listed(body)] }), 9),
    );
    const wire = (body: object) => ({
      url: `${base}/callback`,
      method: 'POST',
      applicationid: 'wire',
      postdata: { headers: json, data: Buffer.from(JSON.stringify(body)).toString('base64') },
    });
    await gateway.call('POST', '/callback', nest(wire, 9));
    await untilIdle();
    for (const application of ['single', 'listed', 'wire']) {
      const made = await count('callbacks.request where application = $1', application);
      expect([application, made]).toEqual([application, 6]);
    }
  });

  it('cannot set the header that counts them', async () => {
    for (const name of ['posthaste-hops', 'Posthaste-Hops']) {
      const body = { url: 'https://example.com/', headers: { [name]: '0' } };
      expect(await gateway.call('POST', '/v1/callbacks', body)).toMatchObject({
        status: 422,
        json: { details: [{ field: `headers.${name}` }] },
      });
    }
  });
});
