import { createSecretBox, Secrets } from '@posthaste/callbacks';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openTestCallbacks, type TestCallbacks } from '../../../test/test-callbacks.js';

interface Answer {
  readonly items: readonly {
    readonly status: number;
    readonly callback?: { readonly id: string };
    readonly problem?: { readonly code: string; readonly details?: readonly unknown[] };
  }[];
}

const url = 'https://example.com/hook';

describeWithPostgres('/v1/callbacks/batch', () => {
  let gateway: TestCallbacks;
  const post = (items: unknown, headers: Record<string, string> = {}) =>
    gateway.call.with(headers)<Answer>('POST', '/v1/callbacks/batch', { items });

  beforeAll(async () => {
    gateway = await openTestCallbacks();
  });
  afterAll(() => gateway.close());

  it('answers each item on its own, in the order of the request', async () => {
    const { status, json } = await post([
      { url, application: 'a' },
      { url: 'ftp://example.com/' },
      'text',
      { url, timeoutMs: 'x' },
      { url, retry: { policy: 'none' } },
      { url, secret: 'none' },
      { url, application: 'b' },
    ]);
    expect(status).toBe(200);
    expect(json.items.map((item) => [item.status, item.problem?.code])).toEqual([
      [201, undefined],
      [422, 'CALLBACK_INVALID'],
      [422, 'REQUEST_INVALID'],
      [422, 'REQUEST_INVALID'],
      [404, 'POLICY_NOT_FOUND'],
      [404, 'SECRET_NOT_FOUND'],
      [201, undefined],
    ]);
    expect(json.items[1]?.problem?.details).toMatchObject([{ field: 'url' }]);
    expect(json.items[3]?.problem?.details).toMatchObject([{ field: 'timeoutMs' }]);
    expect(json.items[6]?.callback).toMatchObject({ application: 'b', url });
  });

  it('lists the faults of the first 50 invalid items, and refuses the others', async () => {
    const { json } = await post([
      ...Array.from({ length: 200 }, () => ({ urll: 1, methodd: 2 })),
      { url },
    ]);
    const details = json.items.map(({ problem }) => problem?.details ?? []);
    expect(details.slice(0, 50).every((faults) => faults.length === 3)).toBe(true);
    expect(details.slice(50, 200)).toEqual(
      Array.from({ length: 150 }, () => [
        { field: 'body', message: expect.stringMatching(/^is invalid; .* first 50 /) },
      ]),
    );
    expect(json.items.at(-1)?.status).toBe(201);
  });

  it('lets other requests have turns while it checks', async () => {
    let turns = 0;
    let isCounting = true;
    const count = (): void => {
      turns += 1;
      if (isCounting) setImmediate(count);
    };
    setImmediate(count);
    await post(Array.from({ length: 1_000 }, () => ({})));
    isCounting = false;
    expect(turns).toBeGreaterThanOrEqual(1_000 / 50);
  });

  it('fails only the item that meets a defect', async () => {
    const otherKey = createSecretBox(new Uint8Array(32).fill(1));
    await new Secrets(gateway.db, otherKey).create({ application: '', name: 'foreign' });
    const { json } = await post([{ url, secret: 'foreign' }, { url }]);
    expect(json.items).toMatchObject([
      { status: 500, problem: { code: 'SECRET_UNREADABLE', detail: 'internal error' } },
      { status: 201 },
    ]);
  });

  it('keeps the order of a queue', async () => {
    const { json } = await post(
      Array.from({ length: 1_000 }, () => ({ url, application: 'ordered', queue: 'q' })),
    );
    const first = json.items[0]?.callback?.id;
    const queue = '/v1/queues/details?application=ordered&queue=q';
    const view = await gateway.call('GET', queue);
    expect(view.json).toMatchObject({ depth: 1_000, head: { id: first } });
    await gateway.call('POST', `/v1/callbacks/${first}/cancel`);
    expect((await gateway.call('GET', queue)).json).toMatchObject({
      head: { id: json.items[1]?.callback?.id },
    });
  });

  it('refuses 10,000 items and an empty list as a whole', async () => {
    const many = await post(Array.from({ length: 10_000 }, () => ({ url })));
    expect(many).toMatchObject({
      status: 422,
      json: { code: 'REQUEST_INVALID', details: [{ field: 'items' }] },
    });
    expect(await post([])).toMatchObject({ status: 422, json: { details: [{ field: 'items' }] } });
    const unknown = await gateway.call('POST', '/v1/callbacks/batch', {
      items: [{ url }],
      item: 1,
    });
    expect(unknown).toMatchObject({ status: 422, json: { details: [{ field: 'item' }] } });
  });

  it('gives a repeated request under the same key the same answer, item by item', async () => {
    const items = [{ url }, { url: 'ftp://a' }, { url, queue: 'q' }];
    const headers = { 'idempotency-key': 'batch' };
    const first = await post(items, headers);
    const second = await post(items, headers);
    expect(first.headers).not.toHaveProperty('idempotent-replayed');
    expect(second.headers['idempotent-replayed']).toBe('true');
    const idsOf = ({ json }: { json: Answer }) => json.items.map(({ callback }) => callback?.id);
    expect(idsOf(second)).toEqual(idsOf(first));
    const other = await post([{ url }, { url }, { url }], headers);
    expect(other.json.items.map((item) => item.problem?.code)).toEqual([
      'IDEMPOTENCY_KEY_REUSED',
      undefined,
      'IDEMPOTENCY_KEY_REUSED',
    ]);
  });

  it('is refused as a whole when the database cannot be reached', async () => {
    const away = await openTestCallbacks();
    await away.db.close();
    const answer = await away.call('POST', '/v1/callbacks/batch', { items: [{ url }] });
    expect(answer).toMatchObject({ status: 503, json: { code: 'DATABASE_UNAVAILABLE' } });
    await away.close();
  });
});
