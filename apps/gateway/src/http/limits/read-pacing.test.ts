import { describe, expect, it } from 'vitest';
import { testServer } from '../../../test/test-server.js';
import type { App } from '../../app.js';

const config = { scope: 'callbacks:read', application: 'caller', audit: 'none' } as const;
const routes = [
  (app: App): void => {
    app.get('/v1/things', { config }, () => ({}));
    app.post('/v1/things', { config }, () => ({}));
  },
];

function sendAtOnce(app: App, method: 'GET' | 'HEAD' | 'POST', count: number) {
  const send = () => app.inject({ method, url: '/v1/things' });
  return Promise.all(Array.from({ length: count }, send));
}

async function statusesOf(...[app, method, count]: Parameters<typeof sendAtOnce>) {
  return (await sendAtOnce(app, method, count)).map(({ statusCode }) => statusCode);
}

describe('the pace of reads', () => {
  it('lets a burst begin at once, and the others one after another', async () => {
    const { app } = await testServer({ POSTHASTE_READ_RATE_LIMIT: '50' }, { routes });
    const startedAt = performance.now();
    expect(new Set(await statusesOf(app, 'GET', 40))).toEqual(new Set([200]));
    // 10 at once, the 30 others 20 ms apart.
    expect(performance.now() - startedAt).toBeGreaterThan(590);
  });

  it('refuses reads whose turn would come after a second', async () => {
    const { app } = await testServer({ POSTHASTE_READ_RATE_LIMIT: '1' }, { routes });
    const refused = (await statusesOf(app, 'HEAD', 30)).filter((status) => status === 429);
    expect(refused.length).toBeGreaterThanOrEqual(8);
    const answers = await sendAtOnce(app, 'GET', 5);
    const answer = answers.find(({ statusCode }) => statusCode === 429);
    expect(answer?.json()).toMatchObject({ code: 'RATE_LIMITED', retryable: true });
    expect(answer?.headers['retry-after']).toBe('1');
  });

  it('does not hold back what writes, or anything when it is off', async () => {
    const slow = await testServer({ POSTHASTE_READ_RATE_LIMIT: '1' }, { routes });
    expect(new Set(await statusesOf(slow.app, 'POST', 100))).toEqual(new Set([200]));
    const off = await testServer({ POSTHASTE_READ_RATE_LIMIT: '0' }, { routes });
    expect(new Set(await statusesOf(off.app, 'GET', 300))).toEqual(new Set([200]));
  });
});
