import { vi } from 'vitest';

/** Longest wait for what comes in milliseconds, in ms: a busy machine takes longer. */
const timeout = 20_000;

type Options = Parameters<typeof vi.waitFor>[1];

function withTimeout(options: Options): Options {
  return typeof options === 'number' ? options : { timeout, ...options };
}

/*
 * Setup of every test file: `vi.waitFor` and `vi.waitUntil` give up after a second, and the
 * configuration has no setting for them, as it has for `expect.poll`.
 */
const { waitFor, waitUntil } = vi;
// Files that share a process share `vi` too.
if (waitFor.name !== 'waitLonger') {
  vi.waitFor = function waitLonger(check, options) {
    return waitFor(check, withTimeout(options));
  };
  vi.waitUntil = (check, options) => waitUntil(check, withTimeout(options));
}
