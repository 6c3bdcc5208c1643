import { describe, expect, it } from 'vitest';
import { Semaphore } from './semaphore.js';

describe('Semaphore', () => {
  it('lets only as many callers work as it has permits, in order', async () => {
    const semaphore = new Semaphore(2);
    const started: number[] = [];
    const ends: (() => void)[] = [];
    const runs = [0, 1, 2, 3].map((n) =>
      semaphore.run(() => {
        started.push(n);
        return new Promise<void>((resolve) => ends.push(resolve));
      }),
    );
    await Promise.resolve();
    expect(started).toEqual([0, 1]);
    ends[1]?.();
    await runs[1];
    await new Promise(setImmediate);
    expect(started).toEqual([0, 1, 2]);
    for (const n of [0, 2]) ends[n]?.();
    await Promise.all([runs[0], runs[2]]);
    await new Promise(setImmediate);
    expect(started).toEqual([0, 1, 2, 3]);
    ends[3]?.();
    await Promise.all(runs);
  });

  it('returns the permit when the work fails', async () => {
    const semaphore = new Semaphore(1);
    await expect(semaphore.run(() => Promise.reject(new Error('refused')))).rejects.toThrow();
    await expect(semaphore.run(() => Promise.resolve('done'))).resolves.toBe('done');
  });
});
