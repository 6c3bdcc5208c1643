import { formatCount, formatSeconds } from '../display/progress-display.js';
import type { Fault } from './fault-profile.js';
import type { OrderReport } from './order-proof.js';

/** Progress of the demo. */
export interface DemoProgress {
  /** Callbacks that Posthaste has accepted. */
  readonly accepted: number;
  /** Callbacks that the receiver has accepted. */
  readonly delivered: number;
  /** Attempts after the first, of all callbacks. */
  readonly retried: number;
  /** Requests that wait for the receiver's answer. */
  readonly inFlight: number;
  /** Queues of which everything is delivered. */
  readonly queuesDone: number;
}

/** Totals that the progress is out of. */
export interface DemoTotals {
  readonly callbacks: number;
  readonly queues: number;
}

/** Result of the demo. */
export interface DemoSummary {
  readonly options: DemoTotals & { readonly kill?: boolean };
  readonly receiver: {
    readonly attempts: { readonly length: number };
    readonly faultCounts: Readonly<Record<Fault, number>>;
  };
  readonly order: OrderReport;
  readonly elapsedMs: number;
}

const maxViolations = 20;

/** Renders the progress in one line: ` 3.2 s  accepted 640/1,000  delivered 512  …`. */
export function renderProgress(
  progress: DemoProgress,
  totals: DemoTotals,
  elapsedMs: number,
): string {
  const { accepted, delivered, retried, inFlight, queuesDone } = progress;
  const width = formatCount(totals.callbacks).length;
  return [
    formatSeconds(elapsedMs),
    `accepted ${formatCount(accepted).padStart(width)}/${formatCount(totals.callbacks)}`,
    `delivered ${formatCount(delivered).padStart(width)}`,
    `retried ${formatCount(retried).padStart(width)}`,
    `in flight ${formatCount(inFlight).padStart(3)}`,
    `queues done ${queuesDone}/${totals.queues}`,
  ].join('  ');
}

/** Renders the result as a table, followed by its conclusion or the violations. */
export function renderSummary(summary: DemoSummary): string {
  const { options, receiver, order, elapsedMs } = summary;
  const duplicates = order.repeats.reduce((sum, repeat) => sum + repeat.duplicates, 0);
  const rows = [
    ['posted', formatCount(options.callbacks), ''],
    ['delivered', formatCount(order.delivered), ''],
    ['requests', formatCount(receiver.attempts.length), describeFaults(receiver.faultCounts)],
    [
      'duplicates',
      formatCount(duplicates),
      duplicates > 0 ? 'sent again because the answer was lost' : '',
    ],
    ['queues in order', `${order.queuesInOrder}/${options.queues}`, ''],
    ['time', `${(elapsedMs / 1_000).toFixed(1)} s`, ''],
  ] as const;
  const table = rows.map(([name, value, note]) =>
    `  ${name.padEnd(15)}  ${value.padStart(9)}  ${note}`.trimEnd(),
  );
  return ['', ...table, '', ...conclusion(summary), ''].join('\n');
}

function describeFaults({ fail, hang, reset }: Readonly<Record<Fault, number>>): string {
  const [failed, hung, broken] = [fail, hang, reset].map(formatCount);
  return `of which ${failed} were answered 503, ${hung} never, ${broken} by a reset`;
}

function conclusion({ options, order: { violations } }: DemoSummary): string[] {
  if (violations.length === 0) {
    const kill = options.kill ? ', although Posthaste was killed in the middle' : '';
    return [`Every queue arrived in order and nothing was lost${kill}.`];
  }
  const more = violations.length - maxViolations;
  return [
    'The proof failed:',
    ...violations.slice(0, maxViolations).map((violation) => `  - ${violation}`),
    ...(more > 0 ? [`  and ${formatCount(more)} more`] : []),
  ];
}
