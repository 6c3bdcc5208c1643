import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openTestCallbacks, type TestCallbacks } from '../../../test/test-callbacks.js';

const url = 'https://example.com/hook';

describeWithPostgres('an Idempotency-Key', () => {
  let gateway: TestCallbacks;
  const post = (body: unknown, key: string) =>
    gateway.call.with({ 'idempotency-key': key })<{ id: string }>('POST', '/v1/callbacks', body);

  beforeAll(async () => {
    gateway = await openTestCallbacks();
  });
  afterAll(() => gateway.close());

  it('gives a repeated request exactly the first answer', async () => {
    const body = { url, json: { order: 1 }, queue: 'q' };
    const first = await post(body, 'same');
    const second = await post(body, 'same');
    expect(first.headers).not.toHaveProperty('idempotent-replayed');
    expect(second.headers['idempotent-replayed']).toBe('true');
    expect(second.headers.location).toBe(first.headers.location);
    expect([second.status, second.body]).toEqual([201, first.body]);
  });

  it('is refused with another body, even if only a space differs', async () => {
    await post(`{"url":"${url}"}`, 'other');
    expect(await post(`{"url": "${url}"}`, 'other')).toMatchObject({
      status: 409,
      json: { code: 'IDEMPOTENCY_KEY_REUSED' },
    });
  });

  it('is unique in its application', async () => {
    const first = await post({ url, application: 'a' }, 'shared');
    const second = await post({ url, application: 'b' }, 'shared');
    expect(second.status).toBe(201);
    expect(second.json.id).not.toBe(first.json.id);
  });

  it('creates one callback for concurrent equal requests', async () => {
    const body = { url, application: 'twins' };
    const answers = await Promise.all(Array.from({ length: 20 }, () => post(body, 'twins')));
    expect(new Set(answers.map((answer) => answer.body)).size).toBe(1);
    const replayed = answers.filter((answer) => answer.headers['idempotent-replayed'] === 'true');
    expect(replayed).toHaveLength(19);
    const { json } = await gateway.call<{ items: object[] }>(
      'GET',
      '/v1/callbacks?application=twins',
    );
    expect(json.items).toHaveLength(1);
  });

  it('is not used up by a request that is refused', async () => {
    expect((await post({ url: 'ftp://a' }, 'refused')).status).toBe(422);
    expect((await post({ url }, 'refused')).status).toBe(201);
  });

  it('has 1 to 256 visible ASCII characters', async () => {
    expect((await post({ url }, `!${'~'.repeat(255)}`)).status).toBe(201);
    for (const key of ['', 'a b', 'a\tb', 'ä', 'x'.repeat(257)]) {
      expect(await post({ url }, key)).toMatchObject({
        status: 422,
        json: { code: 'REQUEST_INVALID', details: [{ field: 'header.idempotency-key' }] },
      });
    }
  });
});
