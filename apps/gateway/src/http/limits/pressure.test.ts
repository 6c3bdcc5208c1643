import { describe, expect, it } from 'vitest';
import { testServer } from '../../../test/test-server.js';
import type { App } from '../../app.js';

const routes = [
  (app: App): void => {
    app.get('/open', { config: { scope: 'public', application: 'none' } }, () => ({ open: true }));
  },
];

describe('under load', () => {
  it('requests are refused with 503, but not those for health and metrics', async () => {
    // The heap limit is some gigabytes; this process uses more than 1 % of it at start.
    const { app, logs } = await testServer({ POSTHASTE_MAX_HEAP_PERCENT: '1' }, { routes });
    const ballast = Array.from({ length: 2_000_000 }, (_, i) => ({ i }));
    await expect.poll(async () => (await app.inject('/open')).statusCode).toBe(503);
    const answer = await app.inject('/open');
    expect(answer.headers['retry-after']).toBe('1');
    expect(answer.json()).toMatchObject({ code: 'OVERLOADED', retryable: true });
    expect((await app.inject('/health/live')).statusCode).toBe(200);
    expect((await app.inject('/metrics')).statusCode).toBe(200);
    expect(logs.filter((line) => line.level === 'warn').length).toBeLessThanOrEqual(2);
    expect(ballast).toHaveLength(2_000_000);
    await app.close();
  });

  it('requests are refused while the event loop lags', async () => {
    const { app } = await testServer({ POSTHASTE_MAX_EVENT_LOOP_DELAY: '20ms' }, { routes });
    const busy = async () => {
      const until = performance.now() + 200;
      while (performance.now() < until);
      return (await app.inject('/open')).statusCode;
    };
    await expect.poll(busy, { timeout: 5_000 }).toBe(503);
    await expect.poll(async () => (await app.inject('/open')).statusCode).toBe(200);
    await app.close();
  });

  it('nothing is refused when both limits are off', async () => {
    const off = { POSTHASTE_MAX_HEAP_PERCENT: '0', POSTHASTE_MAX_EVENT_LOOP_DELAY: '0' };
    const { app } = await testServer(off, { routes });
    expect((await app.inject('/open')).statusCode).toBe(200);
    await app.close();
  });
});
