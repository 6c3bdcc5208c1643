import { describe, expect, it } from 'vitest';
import { fateOf, isAccepted, outage, recovered, unsteady } from './weather.js';

describe('the weather of the demo', () => {
  it('shares out the fates', () => {
    const weather = { fail: 0.1, hang: 0.2, reset: 0.3, slow: 0.2 };
    const fates = [0, 0.09, 0.1, 0.29, 0.35, 0.59, 0.65, 0.79, 0.85, 0.99];
    expect(fates.map((draw) => fateOf(weather, draw))).toEqual([
      ...['fail', 'fail', 'hang', 'hang', 'reset', 'reset', 'slow', 'slow', 'ok', 'ok'],
    ]);
  });

  it('lets nothing through in an outage, and something otherwise', () => {
    const draws = Array.from({ length: 100 }, (_, i) => i / 100);
    const passes = [outage, unsteady, recovered].map((weather) =>
      draws.some((draw) => isAccepted(fateOf(weather, draw))),
    );
    expect(passes).toEqual([false, true, true]);
  });
});
