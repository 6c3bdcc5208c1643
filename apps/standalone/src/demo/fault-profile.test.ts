import { describe, expect, it } from 'vitest';
import { drawFault, isAccepted, outage, recovered, unsteady } from './fault-profile.js';

describe('the fault profile of the demo', () => {
  it('draws each fault by its share', () => {
    const profile = { fail: 0.1, hang: 0.2, reset: 0.3, slow: 0.2 };
    const draws = [0, 0.09, 0.1, 0.29, 0.35, 0.59, 0.65, 0.79, 0.85, 0.99];
    expect(draws.map((draw) => drawFault(profile, draw))).toEqual([
      ...['fail', 'fail', 'hang', 'hang', 'reset', 'reset', 'slow', 'slow', 'ok', 'ok'],
    ]);
  });

  it('accepts nothing in an outage, and something otherwise', () => {
    const draws = Array.from({ length: 100 }, (_, i) => i / 100);
    const passes = [outage, unsteady, recovered].map((profile) =>
      draws.some((draw) => isAccepted(drawFault(profile, draw))),
    );
    expect(passes).toEqual([false, true, true]);
  });
});
