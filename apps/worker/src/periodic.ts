/** Where it is told that a task failed. pino's logger fits. */
export interface TaskLogger {
  warn(fields: object, message: string): void;
}

export interface PeriodicTask {
  /** For the log: what it does. */
  readonly name: string;
  readonly everyMs: number;
  /** Resolves to true when there is more to do at once. */
  run(): Promise<boolean | undefined>;
}

/** Between two runs of a task that has more to do: room for others on the same database. */
const pauseMs = 10;

/** Runs tasks again and again, each by itself and never twice at once. A failure waits for the next time. */
export class PeriodicTasks {
  readonly #logger: TaskLogger;
  readonly #timers = new Map<PeriodicTask, NodeJS.Timeout>();
  readonly #running = new Set<Promise<void>>();
  #closed = false;

  constructor(tasks: readonly PeriodicTask[], logger: TaskLogger) {
    this.#logger = logger;
    for (const task of tasks) this.#schedule(task, 0);
  }

  /** Starts nothing new and waits for what runs. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    await Promise.all(this.#running);
  }

  #schedule(task: PeriodicTask, inMs: number): void {
    if (this.#closed) return;
    const timer = setTimeout(() => {
      const run = this.#run(task);
      this.#running.add(run);
      void run.finally(() => this.#running.delete(run));
    }, inMs);
    this.#timers.set(task, timer);
  }

  async #run(task: PeriodicTask): Promise<void> {
    let more: boolean | undefined = false;
    try {
      more = await task.run();
    } catch (error) {
      this.#logger.warn(
        { err: error, task: task.name },
        'a periodic task failed; it is tried again',
      );
    }
    // Spread, so that workers that started together do not come together for ever.
    this.#schedule(task, more ? pauseMs : task.everyMs * (0.9 + Math.random() * 0.2));
  }
}
