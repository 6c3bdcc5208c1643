import '@posthaste/testbed/vitest';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
// The built code, because the processes that it starts are built.
import { type Bench, openBench } from '../../dist/bench.js';
import { createCallbacksSuite } from '../../dist/suites/callbacks.js';
import { plainService } from '../../test/plain-service.js';
import type { Section } from '../report.js';
import type { Sizes } from './sizes.js';

/** The benchmark reads /proc, and starts a Postgres if `postgresUrl` shows that there is one. */
const canRun = process.platform === 'linux' && inject('postgresUrl') !== undefined;
const wholeSuiteMs = 600_000;
const sizes: Sizes = {
  rounds: 1,
  callbacks: 300,
  orderedQueues: 7,
  blocked: 50,
  blockedQueues: 5,
  history: 50,
  hanging: 0,
  warmUpSeconds: 1,
  intakeSeconds: 1,
  latencySeconds: 1,
  smallBacklog: 100,
  largeBacklog: 400,
};

describe.runIf(canRun)('the callbacks suite', () => {
  let bench: Bench;
  let sections: Map<string, Section>;

  beforeAll(async () => {
    bench = await openBench({ log: () => undefined });
    const suite = createCallbacksSuite(plainService, sizes);
    const options = { quick: false, only: [], peers: ['graphile-worker'] };
    const found = await suite.run(bench, options);
    sections = new Map(found.map((section) => [section.id, section]));
  }, wholeSuiteMs);
  afterAll(() => bench?.close());

  it('measures every row', () => {
    expect([...sections.keys()]).toEqual([
      'rate',
      'ordered',
      'blocked',
      'history',
      'events',
      'hanging',
      'intake',
      'latency',
      'memory',
    ]);
  });

  it('shows our rate beside those of the peers', () => {
    const rows = sections.get('rate')?.rows.map(([name, rate]) => [name, typeof rate]);
    expect(rows).toEqual([
      ['plain', 'number'],
      ['graphile-worker', 'number'],
    ]);
    expect(sections.get('rate')?.bars[0]).toMatchObject({
      what: 'times the rate of graphile-worker',
      limit: 1.5,
    });
  });

  it('checks that everything arrived once and in order', () => {
    const bars = new Map(sections.get('ordered')?.bars.map(({ what, value }) => [what, value]));
    expect(bars.get('deliveries beyond the expected ones')).toBe(0);
    expect(bars.get('order violations')).toBe(0);
  });
});
