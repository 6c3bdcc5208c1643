import '@posthaste/testbed/vitest';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
// The built code, because the processes that it starts are built.
import { type Bench, openBench } from '../../../dist/bench.js';
import { createEventstreamSuite } from '../../../dist/suites/streams/eventstream.js';
import type { Section } from '../../report.js';
import type { StreamSizes } from './sizes.js';

/** The benchmark reads /proc, and starts the servers that are available. */
const canRun =
  process.platform === 'linux' &&
  inject('postgresUrl') !== undefined &&
  inject('kafkaSource') !== undefined;
const wholeSuiteMs = 600_000;
const sizes: StreamSizes = {
  rounds: 1,
  partitions: 2,
  callers: 20,
  warmUpSeconds: 0.2,
  eachSeconds: 0.5,
  batchedEvents: 500,
  consumedEvents: 500,
  pacePerSecond: 100,
  latencySeconds: 1,
  idleSeconds: 0.2,
  postgresEvents: 500,
  relayedEvents: 10_000,
};

describe.runIf(canRun)('the eventstream suite', () => {
  let bench: Bench;
  let sections: Map<string, Section>;

  beforeAll(async () => {
    bench = await openBench({ log: () => undefined });
    const suite = createEventstreamSuite(sizes);
    // At the same time, because these rates are looked at by nobody.
    const parts = [
      { only: ['publish-each', 'publish-full', 'consume'], peers: ['kafkajs'] },
      { only: ['latency', 'idle', 'postgres', 'relay'], peers: [] },
    ];
    const found = await Promise.all(
      parts.map((part) => suite.run(bench, { quick: false, ...part })),
    );
    sections = new Map(found.flat().map((section) => [section.id, section]));
  }, wholeSuiteMs);
  afterAll(() => bench?.close());

  it('measures every row', () => {
    expect([...sections.keys()]).toEqual([
      'publish-each',
      'publish-full',
      'consume',
      'latency',
      'idle',
      'postgres',
      'relay',
    ]);
  });

  it.each(['publish-each', 'publish-full', 'consume'])(
    'puts bare clients beside ours: %s',
    (id) => {
      const rows = sections.get(id)?.rows.map(([name, rate]) => [name, Number(rate) > 0]);
      expect(rows).toEqual([
        ['posthaste', true],
        ['posthaste on @platformatic/kafka', true],
        ['kafkajs', true],
      ]);
      expect(sections.get(id)?.bars[0]).toMatchObject({ what: 'times the rate of kafkajs' });
    },
  );

  it('checks that the consumed events are committed', () => {
    const bars = new Map(sections.get('consume')?.bars.map(({ what, value }) => [what, value]));
    expect(bars.get('events not committed')).toBe(0);
  });

  it('checks that the relay has published the whole log, once', () => {
    const bars = new Map(sections.get('relay')?.bars.map(({ what, value }) => [what, value]));
    expect(bars.get('published a second')).toBeGreaterThan(0);
    expect(bars.get('records beyond the expected ones')).toBe(0);
  });

  it('shows the times from publishing to the callback', () => {
    const [ours] = sections.get('latency')?.rows ?? [];
    expect(ours?.slice(1).every((ms) => Number(ms) > 0)).toBe(true);
  });
});
