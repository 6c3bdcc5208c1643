import { describe, expect, it } from 'vitest';
import { type DemoSummary, renderSummary } from './summary.js';

const summary: DemoSummary = {
  options: { callbacks: 1_000, queues: 50, kill: true },
  receiver: {
    arrivals: { length: 1_234 },
    fates: { ok: 900, slow: 100, fail: 200, hang: 20, reset: 14 },
  },
  verdict: {
    delivered: 1_000,
    queuesInOrder: 50,
    repeats: [{ queue: 'queue-01', sequence: 3, id: 'x', duplicates: 2 }],
    faults: [],
  },
  elapsedMs: 14_230,
};

describe('the summary of the demo', () => {
  it('says in a table what came out', () => {
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

  it('says what was wrong, up to a point', () => {
    const faults = Array.from({ length: 25 }, (_, i) => `fault ${i}`);
    const text = renderSummary({ ...summary, verdict: { ...summary.verdict, faults } });
    expect(text).toContain('It did not hold:\n  - fault 0\n');
    expect(text).toContain('  - fault 19\n  and 5 more\n');
    expect(text).not.toContain('Every queue');
  });
});
