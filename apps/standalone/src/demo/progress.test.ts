import { expect, it } from 'vitest';
import { renderProgress } from './progress.js';

const totals = { callbacks: 1_000, queues: 50 };
const progress = { accepted: 640, delivered: 512, retried: 8, inFlight: 9, queuesDone: 3 };

it('shows the progress of the demo in one line', () => {
  expect(renderProgress(progress, totals, 3_210)).toBe(
    '  3.2 s  accepted   640/1,000  delivered   512  retried     8  in flight   9  queues done 3/50',
  );
});
