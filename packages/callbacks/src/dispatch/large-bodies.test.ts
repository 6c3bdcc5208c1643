import { type Receiver, startReceiver } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { untilState, useDispatchers } from '../../test/delivering.js';
import { accept, acceptOne } from '../../test/live-callbacks.js';
import { useOwnStore } from '../../test/test-store.js';

const maxLargeBodyBytes = 1_000_000;
const bodyBytes = 200_000;
const waitOptions = { timeout: 10_000, interval: 20 };

describeWithPostgres('large bodies', () => {
  const store = useOwnStore();
  let receiver: Receiver;
  beforeEach(async () => {
    receiver = await startReceiver({ kind: 'respond', delayMs: 30 });
  });
  afterEach(() => receiver.close());
  const start = useDispatchers(store);

  /** Returns the receiver's URL under another name, which is another origin. */
  const urlAt = (n: number): string => `http://127.0.0.${n}:${receiver.port}/`;
  const bodyOf = (i: number): Buffer => Buffer.alloc(bodyBytes, i);

  it('arrive whole, no more of them at once than there is memory for', async () => {
    const urls = [urlAt(1), receiver.url.replace('127.0.0.1', 'localhost')];
    const callbacks = Array.from({ length: 20 }, (_, i) => ({
      url: urls[i % urls.length] ?? receiver.url,
      body: bodyOf(i),
      ...(i % 3 === 0 && { queue: 'ordered' }),
    }));
    const ids = await accept(store.db, ...callbacks);
    await start({ maxLargeBodyBytes });
    for (const id of ids) await untilState(store.db, id, 'delivered');
    const arrived = receiver.requests.map(({ body }) => body);
    expect(arrived).toHaveLength(20);
    expect(arrived.every((body) => body.equals(bodyOf(body[0] ?? 0)))).toBe(true);
    expect(new Set(arrived.map((body) => body[0])).size).toBe(20);
    expect(receiver.peakInFlight).toBeLessThanOrEqual(maxLargeBodyBytes / bodyBytes);
  });

  it('of a host that does not answer leave memory for those of others', async () => {
    const hanging = await startReceiver({ kind: 'hang' });
    try {
      const unanswered = { url: hanging.url, body: bodyOf(1), timeoutMs: 20_000 };
      await accept(store.db, ...Array.from({ length: 8 }, () => unanswered));
      await start({ maxLargeBodyBytes });
      await hanging.waitFor(1);
      const others = { url: receiver.url, body: bodyOf(2) };
      await accept(store.db, ...Array.from({ length: 10 }, () => others));
      await vi.waitFor(() => expect(receiver.count).toBe(10), waitOptions);
      expect(hanging.count).toBeLessThanOrEqual(2);
    } finally {
      await hanging.close();
    }
  });

  it('are not read for a method that sends none', async () => {
    const id = await acceptOne(store.db, { url: receiver.url, method: 'GET', body: bodyOf(1) });
    await start({ maxLargeBodyBytes });
    await untilState(store.db, id, 'delivered');
    expect(receiver.requests.map(({ body }) => body.length)).toEqual([0]);
  });
});
