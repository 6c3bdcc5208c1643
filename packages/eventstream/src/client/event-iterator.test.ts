import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { fromStart, openMemoryClient } from '../../test/memory-client.js';
import { MemoryStream } from '../drivers/memory/memory-stream.js';

describe('a loop over events', () => {
  it('receives events, and commits those that it acknowledges', async () => {
    const { client, memory } = await openMemoryClient();
    for (const eventName of ['a', 'b', 'c']) await client.publish({ topic: 'orders', eventName });
    const seen: string[] = [];
    const subscription = { topic: 'orders', groupId: 'loop', ...fromStart };
    for await (const received of client.consume(subscription)) {
      seen.push(received.event.name);
      if (received.event.name === 'c') break;
      received.ack();
    }
    expect(seen).toEqual(['a', 'b', 'c']);
    expect(memory.committed('shop.orders', 'shop.loop').get(0)).toBe(2n);
    await client.close();
  });

  it('receives an event again that it refuses', async () => {
    const { client } = await openMemoryClient({ retry: { initialMs: 1 } });
    await client.publish({ topic: 'orders', eventName: 'a' });
    const attempts: number[] = [];
    const subscription = { topic: 'orders', groupId: 'loop', ...fromStart };
    for await (const received of client.consume(subscription)) {
      attempts.push(received.attempt);
      if (attempts.length === 3) {
        received.ack();
        break;
      }
      received.nack(new Error('not yet'));
    }
    expect(attempts).toEqual([1, 2, 3]);
    await client.close();
  });

  it('loses no event that it had not received when it is left', async () => {
    const memory = new MemoryStream({ partitions: 4 });
    const { client } = await openMemoryClient({ memory, partitioner: 'round-robin' });
    const names = ['a', 'b', 'c', 'd'];
    for (const eventName of names) await client.publish({ topic: 'orders', eventName });
    const subscription = { topic: 'orders', groupId: 'loop', ...fromStart };
    const loop = client.consume(subscription);
    const first = await loop.next();
    first.value?.ack();
    await sleep(20);
    const startedAt = performance.now();
    await loop.return?.();
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    const rest: string[] = [];
    for await (const received of client.consume(subscription)) {
      rest.push(received.event.name);
      received.ack();
      if (rest.length === 3) break;
    }
    expect([first.value?.event.name, ...rest].sort()).toEqual(names);
    await client.close();
  });

  it('ends when the client closes, and may finish the event in hand', async () => {
    const { client, memory } = await openMemoryClient();
    await client.publish({ topic: 'orders', eventName: 'a' });
    const subscription = { topic: 'orders', groupId: 'loop', ...fromStart };
    let closed: Promise<void> | undefined;
    for await (const received of client.consume(subscription)) {
      closed = client.close();
      await sleep(20);
      expect(received.signal.aborted).toBe(true);
      received.ack();
    }
    await closed;
    expect(memory.committed('shop.orders', 'shop.loop').get(0)).toBe(1n);
  });

  it('ends when its signal is aborted', async () => {
    const { client } = await openMemoryClient();
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 20);
    const subscription = { topic: 'orders', groupId: 'loop', signal: controller.signal };
    for await (const _ of client.consume(subscription)) expect.unreachable();
    await client.close();
  });
});
