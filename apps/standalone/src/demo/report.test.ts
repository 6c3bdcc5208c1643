import { describe, expect, it } from 'vitest';
import { type DemoSummary, renderProgress, renderSummary } from './report.js';

const summary: DemoSummary = {
  options: { callbacks: 1_000, queues: 50, kill: true },
  receiver: {
    attempts: { length: 1_234 },
    faultCounts: { ok: 900, slow: 100, fail: 200, hang: 20, reset: 14 },
  },
  order: {
    delivered: 1_000,
    queuesInOrder: 50,
    repeats: [{ queue: 'queue-01', sequence: 3, id: 'x', duplicates: 2 }],
    violations: [],
  },
  elapsedMs: 14_230,
};

describe('the progress of the demo', () => {
  it('is one line', () => {
    const progress = { accepted: 640, delivered: 512, retried: 8, inFlight: 9, queuesDone: 3 };
    expect(renderProgress(progress, { callbacks: 1_000, queues: 50 }, 3_210)).toBe(
      '  3.2 s  accepted   640/1,000  delivered   512  retried     8  in flight   9  queues done 3/50',
    );
  });
});

describe('the summary of the demo', () => {
  it('is a table and a conclusion', () => {
    const text = renderSummary(summary);
    expect(text).toMatch(/posted +1,000\n/);
    expect(text).toMatch(
      /requests +1,234 {2}of which 200 were answered 503, 20 never, 14 by a reset/,
    );
    expect(text).toMatch(/duplicates +2 /);
    expect(text).toMatch(/queues in order +50\/50\n/);
    expect(text).toMatch(/time +14\.2 s\n/);
    expect(text).toContain('Every queue arrived in order and nothing was lost, although');
  });

  it('lists the first 20 violations', () => {
    const violations = Array.from({ length: 25 }, (_, i) => `violation ${i}`);
    const text = renderSummary({ ...summary, order: { ...summary.order, violations } });
    expect(text).toContain('The proof failed:\n  - violation 0\n');
    expect(text).toContain('  - violation 19\n  and 5 more\n');
    expect(text).not.toContain('Every queue');
  });
});
