import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openTestCallbacks, type TestCallbacks } from '../../../test/test-callbacks.js';

describeWithPostgres('/v1/retry-policies', () => {
  let gateway: TestCallbacks;
  const put = (name: string, rule: unknown) =>
    gateway.call('PUT', `/v1/retry-policies/${name}`, rule);

  beforeAll(async () => {
    gateway = await openTestCallbacks();
  });
  afterAll(() => gateway.close());

  it('creates, replaces, shows, lists and removes policies', async () => {
    const phases = [{ retries: 2, delayMs: 1_000.5 }];
    expect(await put('b', { phases })).toMatchObject({
      status: 200,
      json: { name: 'b', retry: { phases }, updatedAt: expect.any(String) },
    });
    expect(await put('a', { exponential: { maxRetries: 3 } })).toMatchObject({
      json: { retry: { exponential: { initialDelayMs: 5_000, maxRetries: 3 } } },
    });
    await put('b', { phases: [] });
    expect((await gateway.call('GET', '/v1/retry-policies/b')).json).toMatchObject({
      retry: { phases: [] },
    });
    const list = await gateway.call<{ next: string }>('GET', '/v1/retry-policies?limit=1');
    expect(list.json).toMatchObject({ items: [{ name: 'a' }] });
    expect(
      (await gateway.call('GET', `/v1/retry-policies?cursor=${list.json.next}`)).json,
    ).toMatchObject({ items: [{ name: 'b' }], next: null });
    expect((await gateway.call('DELETE', '/v1/retry-policies/a')).status).toBe(204);
    for (const method of ['GET', 'DELETE'] as const) {
      expect(await gateway.call(method, '/v1/retry-policies/a')).toMatchObject({
        status: 404,
        json: { code: 'POLICY_NOT_FOUND' },
      });
    }
  });

  it('refuses to remove a policy that an endpoint names', async () => {
    await put('used', { phases: [] });
    const body = { name: 'user', url: 'https://example.com/', retry: { policy: 'used' } };
    expect((await gateway.call('POST', '/v1/endpoints', body)).status).toBe(201);
    expect(await gateway.call('DELETE', '/v1/retry-policies/used')).toMatchObject({
      status: 409,
      json: { code: 'POLICY_IN_USE' },
    });
  });

  it('refuses policies of more attempts than the limit wherever they are given', async () => {
    const phases = Array.from({ length: 100 }, () => ({ retries: 100_000, delayMs: 0 }));
    const url = 'https://example.com/';
    const wire = { url, method: 'POST', retryphases: [{ retries: 10_000, delay: 0 }] };
    // Stored by a release that had no limit.
    await gateway.db.query(`insert into callbacks.policy (name, policy) values
      ('old', '{"kind":"phases","phases":[[10000,"0"]]}')`);
    const limit = {
      message: expect.stringContaining('the limit (POSTHASTE_MAX_ATTEMPTS) is 10,000'),
    };
    const refused = (code: string, field: string) => ({
      status: 422,
      json: { code, details: [{ ...limit, field }] },
    });
    const post = (path: string, body: unknown) => gateway.call('POST', path, body);
    expect(await put('long', { phases })).toMatchObject(refused('REQUEST_INVALID', 'retryPhases'));
    expect(await put('long', { exponential: { maxRetries: 10_000 } })).toMatchObject(
      refused('REQUEST_INVALID', 'policy.maxRetries'),
    );
    expect(await post('/v1/callbacks', { url, retry: { phases } })).toMatchObject(
      refused('CALLBACK_INVALID', 'retryPhases'),
    );
    expect(await post('/v1/callbacks', { url, retry: { policy: 'old' } })).toMatchObject(
      refused('CALLBACK_INVALID', 'retryPhases'),
    );
    expect(await post('/callback', wire)).toMatchObject(refused('CALLBACK_INVALID', 'retryphases'));
    expect(await post('/v1/endpoints', { name: 'long', url, retry: { phases } })).toMatchObject(
      refused('REQUEST_INVALID', 'retryPhases'),
    );
    const batch = { items: [{ url, retry: { phases } }, { url }] };
    expect((await post('/v1/callbacks/batch', batch)).json).toMatchObject({
      items: [{ status: 422, problem: { details: [limit] } }, { status: 201 }],
    });
  });

  it('shows short delays as they were given', async () => {
    const phases = [{ retries: 9_999, delayMs: 0 }];
    const url = 'https://example.com/';
    const { json } = await gateway.call<{ id: string }>('POST', '/v1/callbacks', {
      url,
      retry: { phases },
    });
    const shown = await gateway.call('GET', `/v1/callbacks/${json.id}`);
    expect(shown.json).toMatchObject({ request: { retry: { phases } } });
    const retryphases = [{ retries: 9_999, delay: 0 }];
    const wire = await gateway.call('POST', '/callback', { url, method: 'POST', retryphases });
    expect(wire).toMatchObject({ status: 201, json: { request: { retryphases } } });
  });

  it.each([
    ['no rule', {}],
    ['two rules', { phases: [], exponential: {} }],
    ['the name of another policy', { policy: 'b' }],
    ['an unknown key', { exponential: { retries: 1 } }],
    ['a factor below one', { exponential: { factor: 0.5 } }],
    ['waits that shrink', { exponential: { initialDelayMs: 10, maxDelayMs: 5 } }],
    ['101 phases', { phases: Array.from({ length: 101 }, () => ({ retries: 1, delayMs: 1 })) }],
  ])('refuses %s', async (_name, rule) => {
    expect(await put('x', rule)).toMatchObject({ status: 422, json: { code: 'REQUEST_INVALID' } });
  });

  it('refuses names that need escaping in a path', async () => {
    for (const name of ['%2e%2e', 'a%2Fb', 'a b', 'x'.repeat(101)]) {
      expect((await put(name, { phases: [] })).status, name).toBeGreaterThanOrEqual(404);
    }
  });
});
