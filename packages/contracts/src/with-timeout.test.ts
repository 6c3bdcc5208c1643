import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { settlesWithin, withTimeout } from './with-timeout.js';

const never = new Promise<never>(() => undefined);

describe('withTimeout', () => {
  it('resolves and rejects as work that ends in time', async () => {
    await expect(withTimeout(Promise.resolve('done'), 60_000, () => 'late')).resolves.toBe('done');
    const refused = Promise.reject(new Error('refused'));
    await expect(withTimeout(refused, 60_000, () => 'late')).rejects.toThrow('refused');
  });

  it('resolves with the value of onTimeout for late work', async () => {
    await expect(withTimeout(never, 1, () => 'late')).resolves.toBe('late');
  });

  it('rejects with the error of onTimeout for late work', async () => {
    const late = (): never => {
      throw new Error('too late');
    };
    await expect(withTimeout(never, 1, late)).rejects.toThrow('too late');
  });

  it('ignores work that is rejected after the time limit', async () => {
    const refused = sleep(20).then(() => Promise.reject(new Error('refused')));
    await expect(withTimeout(refused, 1, () => 'late')).resolves.toBe('late');
    await sleep(40);
  });
});

describe('settlesWithin', () => {
  it('is true for work that is fulfilled or rejected in time', async () => {
    await expect(settlesWithin(Promise.resolve(), 60_000)).resolves.toBe(true);
    await expect(settlesWithin(Promise.reject(new Error('refused')), 60_000)).resolves.toBe(true);
  });

  it('is false for work that takes longer', async () => {
    await expect(settlesWithin(never, 1)).resolves.toBe(false);
  });
});
