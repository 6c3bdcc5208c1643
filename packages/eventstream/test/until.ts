import { vi } from 'vitest';

/**
 * Waits until the assertion holds. What is waited for comes in milliseconds, unless the machine is busy:
 * the second that `vi.waitFor` waits by default is too short for that.
 */
export function until<Result>(assertion: () => Result): Promise<Awaited<Result>> {
  return vi.waitFor(assertion, { timeout: 20_000, interval: 10 }) as Promise<Awaited<Result>>;
}
