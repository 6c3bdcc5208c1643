import { count } from '../display/progress-display.js';
import type { Verdict } from './order-proof.js';
import type { Fate } from './weather.js';

export interface DemoSummary {
  readonly options: {
    readonly callbacks: number;
    readonly queues: number;
    readonly kill?: boolean;
  };
  readonly receiver: {
    readonly arrivals: { readonly length: number };
    readonly fates: Readonly<Record<Fate, number>>;
  };
  readonly verdict: Verdict;
  readonly elapsedMs: number;
}

const maxFaults = 20;

/** What came out, and the proof or what was wrong. */
export function renderSummary(summary: DemoSummary): string {
  const { options, receiver, verdict, elapsedMs } = summary;
  const { fail, hang, reset } = receiver.fates;
  const duplicates = verdict.repeats.reduce((sum, repeat) => sum + repeat.duplicates, 0);
  const rows = [
    ['posted', count(options.callbacks), ''],
    ['delivered', count(verdict.delivered), ''],
    [
      'requests',
      count(receiver.arrivals.length),
      `of which ${count(fail)} were answered 503, ${count(hang)} never, ${count(reset)} by a reset`,
    ],
    ['duplicates', count(duplicates), duplicates > 0 ? 'the answer was lost, so sent again' : ''],
    ['queues in order', `${verdict.queuesInOrder}/${options.queues}`, ''],
    ['time', `${(elapsedMs / 1_000).toFixed(1)} s`, ''],
  ] as const;
  const table = rows.map(([name, value, note]) =>
    `  ${name.padEnd(15)}  ${value.padStart(9)}  ${note}`.trimEnd(),
  );
  return ['', ...table, '', ...conclusion(summary), ''].join('\n');
}

function conclusion({ options, verdict: { faults } }: DemoSummary): string[] {
  if (faults.length === 0) {
    const kill = options.kill ? ', although Posthaste was killed in the middle' : '';
    return [`Every queue arrived in order and nothing was lost${kill}.`];
  }
  const more = faults.length - maxFaults;
  return [
    'It did not hold:',
    ...faults.slice(0, maxFaults).map((fault) => `  - ${fault}`),
    ...(more > 0 ? [`  and ${count(more)} more`] : []),
  ];
}
