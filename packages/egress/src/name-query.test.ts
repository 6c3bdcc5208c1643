import { expect, it } from 'vitest';
import { startNameServer } from '../test/name-server.js';
import { isUnanswered, NameQuery } from './name-query.js';

it('returns the response of the name server', async () => {
  const server = await startNameServer((name) => (name === 'shop.example' ? '192.0.2.7' : null));
  const query = new NameQuery({ servers: [server] });
  expect(await query.addresses('shop.example')).toEqual([{ address: '192.0.2.7', family: 4 }]);
  const none = await query.addresses('none.example').catch((error: unknown) => error);
  expect(none).toMatchObject({ code: 'ENOTFOUND' });
  expect(isUnanswered(none)).toBe(false);
});

it('resolves other names while some name servers do not respond', async () => {
  const server = await startNameServer((name) =>
    name === 'fast.example' ? '192.0.2.7' : undefined,
  );
  const query = new NameQuery({ servers: [server], timeoutMs: 300 });
  const silent = Array.from({ length: 100 }, (_, i) => query.addresses(`slow-${i}.example`));
  const outcomes = Promise.allSettled(silent);
  const startedAt = performance.now();
  expect(await query.addresses('fast.example')).toHaveLength(1);
  expect(performance.now() - startedAt).toBeLessThan(250);
  for (const outcome of await outcomes) {
    expect(outcome.status === 'rejected' && isUnanswered(outcome.reason)).toBe(true);
  }
});
