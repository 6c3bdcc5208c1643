import type { TaskResult } from './stream-task.js';

/** Measurement of time and CPU time of this process, from its construction on. */
export class MeasuredSpan {
  readonly #startMs = performance.now();
  readonly #cpu = process.cpuUsage();

  /** Returns the result up to now. */
  end(events: number): TaskResult {
    const { user, system } = process.cpuUsage(this.#cpu);
    const seconds = (performance.now() - this.#startMs) / 1_000;
    return { events, seconds, cpuSeconds: (user + system) / 1e6, latenciesMs: [] };
  }
}
