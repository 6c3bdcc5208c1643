import { onTestFinished } from 'vitest';

/** Collects errors that nobody catches, until the end of the test. */
export function watchUncaught(): unknown[] {
  const seen: unknown[] = [];
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => seen.push(error));
  onTestFinished(() => {
    process.removeAllListeners('uncaughtException');
    for (const other of others) process.on('uncaughtException', other);
  });
  return seen;
}
