import { describe, expect, it } from 'vitest';
import { type Arrival, findUnexcused, judgeArrivals } from './order-proof.js';
import { planDemo, toPath } from './plan.js';

const plan = planDemo('demo', 5, 2);
const ids = new Map(
  [...plan.queues].flatMap(([queue, count]) =>
    Array.from({ length: count }, (_, sequence) => {
      const path = toPath({ queue, sequence });
      return [path, `id of ${path}`] as const;
    }),
  ),
);

/**
 * `1/0` is the first callback of queue-1; with `!` after it the receiver did not take it. A second
 * passes between two; with `@2` it was sent in the third of these seconds.
 */
function arrivals(text: string): Arrival[] {
  return text.split(' ').map((word, second) => {
    const [, queue, sequence, refused, sentAt] = /^(\d)\/(\d)(!?)(?:@(\d))?$/.exec(word) ?? [];
    const place = { queue: `queue-${queue}`, sequence: Number(sequence) };
    const id = `id of ${toPath(place)}`;
    return { ...place, id, sentAt: Number(sentAt ?? second), accepted: refused === '' };
  });
}

const faultsOf = (text: string) => judgeArrivals(plan, ids, arrivals(text)).faults;

describe('the proof of the demo', () => {
  it('holds when every queue came in order, failed attempts and all', () => {
    const verdict = judgeArrivals(plan, ids, arrivals('1/0! 2/0 1/0 1/1! 1/1! 2/1 1/1 1/2'));
    expect(verdict).toEqual({ delivered: 5, queuesInOrder: 2, repeats: [], faults: [] });
  });

  it('sees what came before its predecessor was taken', () => {
    expect(faultsOf('1/0! 1/1 1/0 1/2 2/0 2/1')).toEqual([
      'queue-1: 1 came before 0 was taken',
      'queue-1: 0 was sent again after 1',
      'queue-1: 2 came before 1 was taken',
      'queue-1: 2 of 3 did not arrive',
    ]);
  });

  it('sees what is missing', () => {
    expect(faultsOf('1/0 1/1 2/0 2/1!')).toEqual([
      'queue-1: 1 of 3 did not arrive',
      'queue-2: 1 of 2 did not arrive',
    ]);
  });

  it('sees a repetition that was sent after a later one', () => {
    const verdict = judgeArrivals(plan, ids, arrivals('1/0 1/1 1/0 1/2 2/0 2/1'));
    expect(verdict.faults).toEqual(['queue-1: 0 was sent again after 1']);
    expect(verdict.queuesInOrder).toBe(1);
    expect(faultsOf('1/0 1/1 1/2 1/0@2 2/0 2/1')).toEqual(['queue-1: 0 was sent again after 1']);
  });

  it('takes no offence at a request that was given up, and arrives long after', () => {
    const verdict = judgeArrivals(plan, ids, arrivals('2/0 1/0@2 1/1@3 1/0@0 1/2 2/1'));
    expect(verdict.faults).toEqual([]);
    expect(verdict.repeats).toMatchObject([{ queue: 'queue-1', sequence: 0, duplicates: 1 }]);
  });

  it('sees what was never posted, and what came under another id', () => {
    const stray = { queue: 'queue-3', sequence: 0, id: 'x', sentAt: 9, accepted: true };
    const twin = { queue: 'queue-1', sequence: 0, id: 'y', sentAt: 9, accepted: true };
    const all = [...arrivals('1/0 1/1 1/2 2/0 2/1'), stray, twin];
    expect(judgeArrivals(plan, ids, all).faults).toEqual([
      '/queue-3/0 came with the id x, which was not posted for it',
      '/queue-1/0 came with the id y, which was not posted for it',
    ]);
  });

  it('excuses a duplicate for each attempt without an answer, and nothing else', () => {
    const { repeats, faults } = judgeArrivals(plan, ids, arrivals('1/0 1/0! 1/0 1/1 1/2 2/0 2/1'));
    const id = 'id of /queue-1/0';
    expect(faults).toEqual([]);
    expect(repeats).toEqual([{ queue: 'queue-1', sequence: 0, id, duplicates: 1 }]);
    const unexcused = (...codes: number[]) => findUnexcused(repeats, new Map([[id, codes]]));
    expect(unexcused(0, 503, 200)).toEqual([]);
    const fault = ['queue-1: 0 came again although its outcome was known'];
    expect(unexcused(503, 503, 200)).toEqual(fault);
    expect(unexcused(200, 0, 200)).toEqual(fault);
  });
});
