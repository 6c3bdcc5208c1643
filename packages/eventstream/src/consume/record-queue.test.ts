import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FifoQueue, KeyedQueue, type QueuedRecord } from './record-queue.js';

function queued(ticket: number, key: string | null): QueuedRecord {
  const record = {
    topic: 't',
    partition: 0,
    offset: BigInt(ticket),
    key: key === null ? null : Buffer.from(key),
    value: null,
    headers: {},
    timestampMs: 0,
  };
  return { record, ticket };
}

describe('FifoQueue', () => {
  it('returns records in the order in which they were added, over many cuts', () => {
    const queue = new FifoQueue();
    let taken = 0;
    for (let added = 0; added < 5_000; added += 1) {
      queue.add(queued(added, null));
      if (added % 3 !== 0) expect(queue.next()?.ticket).toBe(taken++);
    }
    for (let rest = queue.next(); rest; rest = queue.next()) expect(rest.ticket).toBe(taken++);
    expect(taken).toBe(5_000);
  });
});

describe('KeyedQueue', () => {
  it('returns the next record of a key when the one before is finished', () => {
    const queue = new KeyedQueue();
    const records = [
      queued(0, 'a'),
      queued(1, 'a'),
      queued(2, 'b'),
      queued(3, null),
      queued(4, null),
    ];
    for (const added of records) queue.add(added);
    expect([1, 2, 3, 4, 5].map(() => queue.next()?.ticket)).toEqual([0, 2, 3, 4, undefined]);
    queue.finish(queued(0, 'a'));
    expect(queue.next()?.ticket).toBe(1);
  });

  it('keeps the order of every key, never returns two of one key at once, and loses none', () => {
    const step = fc.oneof(
      fc.record({ add: fc.constantFrom('a', 'b', 'c', null) }),
      fc.record({ finish: fc.nat({ max: 20 }) }),
      fc.constant({ start: true }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const queue = new KeyedQueue();
        const running: QueuedRecord[] = [];
        const order = new Map<string, number[]>();
        let added = 0;
        let seen = 0;
        const start = (): boolean => {
          const next = queue.next();
          if (!next) return false;
          const key = next.record.key?.toString() ?? null;
          const busy = running.some(({ record }) => record.key?.toString() === key);
          expect(key !== null && busy).toBe(false);
          if (key !== null) order.set(key, [...(order.get(key) ?? []), next.ticket]);
          running.push(next);
          seen += 1;
          return true;
        };
        const finish = (index: number): void => {
          const [over] = running.splice(index, 1);
          if (over) queue.finish(over);
        };
        for (const current of steps) {
          if ('add' in current) queue.add(queued(added++, current.add));
          else if ('finish' in current) finish(current.finish % Math.max(1, running.length));
          else start();
        }
        while (running.length > 0 || start()) {
          while (start());
          finish(0);
        }
        expect(seen).toBe(added);
        for (const tickets of order.values()) {
          expect(tickets).toEqual(tickets.toSorted((a, b) => a - b));
        }
      }),
    );
  });
});
