import type { TaskResult } from './stream-task.js';

/** A span of time in this process, from its construction on. */
export class MeasuredSpan {
  readonly #startMs = performance.now();
  readonly #cpu = process.cpuUsage();

  end(events: number): TaskResult {
    const { user, system } = process.cpuUsage(this.#cpu);
    const seconds = (performance.now() - this.#startMs) / 1_000;
    return { events, seconds, cpuSeconds: (user + system) / 1e6, latenciesMs: [] };
  }
}
