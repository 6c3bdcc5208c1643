import { describe, expect, it } from 'vitest';
import { parsePath, planDemo, toPath } from './plan.js';

describe('the plan of the demo', () => {
  it('spreads callbacks evenly, with the remainder in the first queues', () => {
    const { queues } = planDemo('demo', 11, 10);
    expect([...queues.values()]).toEqual([2, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
    expect([...queues.keys()].slice(8)).toEqual(['queue-09', 'queue-10']);
  });

  it('reads a position from the path that it wrote', () => {
    const position = { queue: 'queue-07', sequence: 12 };
    expect(parsePath(toPath(position))).toEqual(position);
    expect(['/', '/queue', '/queue/x', '/queue/1/2'].map(parsePath)).toEqual(
      Array(4).fill(undefined),
    );
  });
});
