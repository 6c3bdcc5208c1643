import { describe, expect, it } from 'vitest';
import { checkOrder, findUnexplainedRepeats, type ReceivedAttempt } from './order-proof.js';
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
 * Parses attempts. `1/0` is the first callback of queue-1; `!` after it means that the receiver did
 * not accept it. Each attempt is sent one second after the one before it; `@2` means that it was
 * sent in the third of these seconds.
 */
function attempts(text: string): ReceivedAttempt[] {
  return text.split(' ').map((word, second) => {
    const [, queue, sequence, refused, sentAt] = /^(\d)\/(\d)(!?)(?:@(\d))?$/.exec(word) ?? [];
    const place = { queue: `queue-${queue}`, sequence: Number(sequence) };
    const id = `id of ${toPath(place)}`;
    return { ...place, id, sentAt: Number(sentAt ?? second), accepted: refused === '' };
  });
}

const violationsOf = (text: string) => checkOrder(plan, ids, attempts(text)).violations;

describe('the proof of the demo', () => {
  it('holds when every queue came in order, with failed attempts in between', () => {
    const report = checkOrder(plan, ids, attempts('1/0! 2/0 1/0 1/1! 1/1! 2/1 1/1 1/2'));
    expect(report).toEqual({ delivered: 5, queuesInOrder: 2, repeats: [], violations: [] });
  });

  it('finds a callback that came before its predecessor was accepted', () => {
    expect(violationsOf('1/0! 1/1 1/0 1/2 2/0 2/1')).toEqual([
      'queue-1: callback 1 came before 0 was delivered',
      'queue-1: callback 0 was sent again after 1',
      'queue-1: callback 2 came before 1 was delivered',
      'queue-1: 2 of 3 callbacks did not arrive',
    ]);
  });

  it('finds callbacks that are missing', () => {
    expect(violationsOf('1/0 1/1 2/0 2/1!')).toEqual([
      'queue-1: 1 of 3 callbacks did not arrive',
      'queue-2: 1 of 2 callbacks did not arrive',
    ]);
  });

  it('finds a repeat that was sent after a later callback', () => {
    const report = checkOrder(plan, ids, attempts('1/0 1/1 1/0 1/2 2/0 2/1'));
    expect(report.violations).toEqual(['queue-1: callback 0 was sent again after 1']);
    expect(report.queuesInOrder).toBe(1);
    expect(violationsOf('1/0 1/1 1/2 1/0@2 2/0 2/1')).toEqual([
      'queue-1: callback 0 was sent again after 1',
    ]);
  });

  it('allows a request that was given up and arrives much later', () => {
    const report = checkOrder(plan, ids, attempts('2/0 1/0@2 1/1@3 1/0@0 1/2 2/1'));
    expect(report.violations).toEqual([]);
    expect(report.repeats).toMatchObject([{ queue: 'queue-1', sequence: 0, duplicates: 1 }]);
  });

  it('finds callbacks that were never posted, or came under another id', () => {
    const unposted = { queue: 'queue-3', sequence: 0, id: 'x', sentAt: 9, accepted: true };
    const twin = { queue: 'queue-1', sequence: 0, id: 'y', sentAt: 9, accepted: true };
    const all = [...attempts('1/0 1/1 1/2 2/0 2/1'), unposted, twin];
    expect(checkOrder(plan, ids, all).violations).toEqual([
      '/queue-3/0 came with the id x, which was not posted for it',
      '/queue-1/0 came with the id y, which was not posted for it',
    ]);
  });

  it('explains one duplicate for each attempt without an answer, and no others', () => {
    const { repeats, violations } = checkOrder(plan, ids, attempts('1/0 1/0! 1/0 1/1 1/2 2/0 2/1'));
    const id = 'id of /queue-1/0';
    expect(violations).toEqual([]);
    expect(repeats).toEqual([{ queue: 'queue-1', sequence: 0, id, duplicates: 1 }]);
    const unexplained = (...codes: number[]) =>
      findUnexplainedRepeats(repeats, new Map([[id, codes]]));
    expect(unexplained(0, 503, 200)).toEqual([]);
    const violation = ['queue-1: callback 0 came again although its result was known'];
    expect(unexplained(503, 503, 200)).toEqual(violation);
    expect(unexplained(200, 0, 200)).toEqual(violation);
  });
});
