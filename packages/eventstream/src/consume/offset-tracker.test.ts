import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OffsetTracker } from './offset-tracker.js';

/** The definition, without any cleverness. */
function positionOf(offsets: readonly bigint[], finished: ReadonlySet<number>): bigint | undefined {
  let position: bigint | undefined;
  for (const [index, offset] of offsets.entries()) {
    if (!finished.has(index)) break;
    position = offset + 1n;
  }
  return position;
}

/** Ascending offsets with gaps, and the order in which some of them finish. */
const history = fc.array(fc.bigInt({ min: 1n, max: 3n }), { maxLength: 40 }).chain((gaps) => {
  let last = 10n;
  const offsets = gaps.map((gap) => {
    last += gap;
    return last;
  });
  return fc.record({
    offsets: fc.constant(offsets),
    order: fc.shuffledSubarray([...offsets.keys()]),
  });
});

describe('OffsetTracker', () => {
  it('has no position before anything is finished', () => {
    const tracker = new OffsetTracker();
    tracker.add(5n);
    expect(tracker.position).toBeUndefined();
    expect(tracker.span).toBe(1);
  });

  it('has its position at the end of the unbroken run of finished records, after every step', () => {
    fc.assert(
      fc.property(history, ({ offsets, order }) => {
        const tracker = new OffsetTracker();
        const tickets = offsets.map((offset) => tracker.add(offset));
        const finished = new Set<number>();
        for (const index of order) {
          tracker.finish(tickets[index] ?? -1);
          finished.add(index);
          expect(tracker.position).toBe(positionOf(offsets, finished));
        }
      }),
    );
  });

  it('never moves back, however adding and finishing mix', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 30 }), { maxLength: 120 }), (steps) => {
        const tracker = new OffsetTracker();
        const offsets: bigint[] = [];
        const finished = new Set<number>();
        let before = -1n;
        for (const step of steps) {
          if (step < 12) {
            offsets.push(BigInt(offsets.length * 2));
            tracker.add(BigInt((offsets.length - 1) * 2));
          } else if (offsets.length > 0) {
            const ticket = step % offsets.length;
            tracker.finish(ticket);
            finished.add(ticket);
          }
          const position = tracker.position ?? -1n;
          expect(position).toBe(positionOf(offsets, finished) ?? -1n);
          expect(position >= before).toBe(true);
          before = position;
        }
      }),
    );
  });

  it('stays correct and small over many records', () => {
    const tracker = new OffsetTracker();
    for (let round = 0; round < 10_000; round += 1) {
      const [first, second] = [tracker.add(BigInt(round * 2)), tracker.add(BigInt(round * 2 + 1))];
      tracker.finish(second);
      expect(tracker.span).toBe(2);
      tracker.finish(first);
      tracker.finish(first);
      expect(tracker.span).toBe(0);
      expect(tracker.position).toBe(BigInt(round * 2 + 2));
    }
  });

  it('moves behind the last record when there are no more, once all are finished', () => {
    const tracker = new OffsetTracker();
    expect(tracker.advance(3n)).toBe(true);
    expect(tracker.position).toBe(3n);
    const [first, second] = [tracker.add(4n), tracker.add(5n)];
    expect(tracker.advance(9n)).toBe(false);
    tracker.finish(second);
    expect(tracker.position).toBe(3n);
    tracker.finish(first);
    expect(tracker.position).toBe(9n);
    expect(tracker.span).toBe(0);
    expect(tracker.advance(8n)).toBe(false);
    expect(tracker.position).toBe(9n);
    expect(tracker.advance(12n)).toBe(true);
    tracker.finish(tracker.add(14n));
    expect(tracker.position).toBe(15n);
  });

  it('ignores a ticket that it never gave', () => {
    const tracker = new OffsetTracker();
    tracker.add(1n);
    tracker.finish(7);
    tracker.finish(-1);
    expect(tracker.position).toBeUndefined();
    expect(tracker.span).toBe(1);
  });
});
