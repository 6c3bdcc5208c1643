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
