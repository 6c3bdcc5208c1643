import { count, seconds } from '../display/progress-display.js';

/** How far the demo is. */
export interface DemoProgress {
  readonly accepted: number;
  readonly delivered: number;
  readonly retried: number;
  readonly inFlight: number;
  readonly queuesDone: number;
}

/** What the progress is out of. */
export interface DemoTotals {
  readonly callbacks: number;
  readonly queues: number;
}

/** One line, such as ` 3.2 s  accepted 640/1,000  delivered 512  …`. */
export function renderProgress(
  progress: DemoProgress,
  totals: DemoTotals,
  elapsedMs: number,
): string {
  const { accepted, delivered, retried, inFlight, queuesDone } = progress;
  const width = count(totals.callbacks).length;
  return [
    seconds(elapsedMs),
    `accepted ${count(accepted).padStart(width)}/${count(totals.callbacks)}`,
    `delivered ${count(delivered).padStart(width)}`,
    `retried ${count(retried).padStart(width)}`,
    `in flight ${count(inFlight).padStart(3)}`,
    `queues done ${queuesDone}/${totals.queues}`,
  ].join('  ');
}
