import { describe, expect, it } from 'vitest';
import { ItemQueue, type OverflowPolicy } from './item-queue.js';

function filled(policy: OverflowPolicy, count = 6): ItemQueue<number> {
  const queue = new ItemQueue(4, policy, -1);
  for (let i = 1; i <= count; i += 1) queue.push(i);
  return queue;
}

async function drain(queue: ItemQueue<number>): Promise<number[]> {
  queue.end();
  const items: number[] = [];
  for (;;) {
    const { done, value } = await queue.next();
    if (done) return items;
    items.push(value);
  }
}

describe('the queue of a subscription', () => {
  it('drops the oldest, or the newest, and counts them', async () => {
    const oldest = filled('drop-oldest');
    expect(oldest.dropped).toBe(2);
    expect(await drain(oldest)).toEqual([3, 4, 5, 6]);
    expect(await drain(filled('drop-newest'))).toEqual([1, 2, 3, 4]);
  });

  it('ends with an error behind what it holds', async () => {
    const queue = filled('error');
    for (let i = 0; i < 4; i += 1) await queue.next();
    await expect(queue.next()).rejects.toMatchObject({ reason: 'receive_failed' });
    expect(await queue.next()).toMatchObject({ done: true });
  });

  it('pauses until half of it is read, and tells of the gap', async () => {
    const queue = filled('pause');
    await queue.next();
    queue.push(7);
    await queue.next();
    queue.push(8);
    expect(await drain(queue)).toEqual([3, 4, -1, 8]);
    expect(queue.dropped).toBe(3);
  });

  it('gives items to consumers that wait, in their order', async () => {
    const queue = new ItemQueue(4, 'error', -1);
    const waiting = [queue.next(), queue.next(), queue.next()];
    queue.push(1);
    queue.push(2);
    queue.end();
    expect((await Promise.all(waiting)).map(({ value }) => value)).toEqual([1, 2, undefined]);
  });
});
