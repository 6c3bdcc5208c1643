import { type Static, Type } from 'typebox';
import { describe, expect, it } from 'vitest';
import { testServer } from '../../../test/test-server.js';
import type { App } from '../../app.js';

const config = { scope: 'callbacks:write', application: 'caller', audit: 'none' } as const;
const body = Type.Object({ text: Type.String() }, { additionalProperties: false });
const routes = [
  (app: App): void => {
    app.post<{ Body: Static<typeof body> }>('/v1/things', { config, schema: { body } }, () => ({}));
    app.post<{ Body: { items: { status: number }[] } }>(
      '/v1/batches',
      { config },
      async (request) => {
        await app.faultDelay.ofItems(request, request.body.items);
        return {};
      },
    );
  },
];

interface Post {
  readonly url?: string;
  readonly payload?: object;
  readonly remoteAddress?: string;
}

/** Posts and returns the time until the answer, in ms. */
async function timeOf(app: App, { url = '/v1/things', ...post }: Post): Promise<number> {
  const startedAt = performance.now();
  await app.inject({ method: 'POST', url, ...post });
  return performance.now() - startedAt;
}

describe('the delay of faults', () => {
  const environment = { POSTHASTE_FAULT_RATE_LIMIT: '10' };

  it('holds back answers to a caller that goes on sending faults, and only those', async () => {
    const { app } = await testServer(environment, { routes });
    // 20 are answered at once.
    const faults = Array.from({ length: 25 }, () => timeOf(app, { payload: { text: 1 } }));
    expect(Math.max(...(await Promise.all(faults)))).toBeGreaterThan(450);
    const slow = timeOf(app, { payload: { text: 1 } });
    const others = timeOf(app, { payload: {}, remoteAddress: '127.0.0.2' });
    const right = timeOf(app, { payload: { text: '' } });
    expect(await Promise.race([slow, others])).toBe(await others);
    expect(await Promise.race([slow, right])).toBe(await right);
    await slow;
  });

  it('counts large faulty bodies as many', async () => {
    const { app } = await testServer(environment, { routes });
    const large = { payload: { text: 'x', other: 'x'.repeat(300_000) } };
    expect(await timeOf(app, large)).toBeGreaterThan(900);
  });

  it('counts faulty items of batches', async () => {
    const { app } = await testServer(environment, { routes });
    const items = (status: number) => ({
      url: '/v1/batches',
      payload: { items: Array.from({ length: 250 }, () => ({ status })) },
    });
    await timeOf(app, items(201));
    expect(await timeOf(app, items(422))).toBeGreaterThan(450);
  });

  it('is at most ten seconds long', async () => {
    const { app } = await testServer({ POSTHASTE_FAULT_RATE_LIMIT: '1' }, { routes });
    const waits = Array.from({ length: 60 }, () => timeOf(app, { payload: {} }));
    const longest = Math.max(...(await Promise.all(waits)));
    expect(longest).toBeGreaterThan(9_900);
  });

  it('is off with 0', async () => {
    const { app } = await testServer({ POSTHASTE_FAULT_RATE_LIMIT: '0' }, { routes });
    const startedAt = performance.now();
    for (let i = 0; i < 300; i += 1) await timeOf(app, { payload: {} });
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });
});
