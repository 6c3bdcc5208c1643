import { describe, expect, it } from 'vitest';
import { createReadiness } from './readiness.js';

const passing = { name: 'passing', check: async () => undefined };
const never = (): Promise<void> => new Promise(() => undefined);

describe('readiness', () => {
  it('reports ready when every check passes', async () => {
    expect(await createReadiness([passing])()).toEqual({
      status: 'ready',
      checks: [{ name: 'passing', ready: true }],
    });
  });

  it('does not wait for a check that hangs', async () => {
    const checks = [
      { name: 'hangs', check: never },
      { name: 'broker', check: never, timeoutCode: 'STREAM_UNAVAILABLE' } as const,
      passing,
    ];
    expect(await createReadiness(checks, { timeoutMs: 20 })()).toEqual({
      status: 'not_ready',
      checks: [
        { name: 'hangs', ready: false, code: 'DATABASE_TIMEOUT' },
        { name: 'broker', ready: false, code: 'STREAM_UNAVAILABLE' },
        { name: 'passing', ready: true },
      ],
    });
  });

  it('runs the checks once for callers that ask at about the same time', async () => {
    let runs = 0;
    const counted = {
      name: 'counted',
      check: async () => {
        runs += 1;
      },
    };
    const readiness = createReadiness([counted], { reuseMs: 30 });
    await Promise.all([readiness(), readiness(), readiness()]);
    await readiness();
    expect(runs).toBe(1);
    await expect.poll(() => readiness().then(() => runs)).toBe(2);
  });
});
