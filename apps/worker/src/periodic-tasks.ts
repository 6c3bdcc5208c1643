/** Logger for failed tasks, such as pino's. */
export interface TaskLogger {
  warn(fields: object, message: string): void;
}

/** Task that is repeated. */
export interface PeriodicTask {
  /** Name for the log, such as `send mail`. */
  readonly name: string;
  /** Time between two runs, in ms; varied by up to 10 percent. */
  readonly everyMs: number;
  /** Runs the task. Resolves to true when there is more to do at once. */
  run(): Promise<boolean | undefined>;
}

/** Pause between two runs of a task that has more to do, in ms: others use the database too. */
const pauseMs = 10;

/**
 * Runner of periodic tasks. Each task has its own timer and never runs twice at once. A failed task
 * is tried again at its next time.
 */
export class PeriodicTasks {
  readonly #logger: TaskLogger;
  readonly #timers = new Map<PeriodicTask, NodeJS.Timeout>();
  readonly #running = new Set<Promise<void>>();
  #closed = false;

  constructor(tasks: readonly PeriodicTask[], logger: TaskLogger) {
    this.#logger = logger;
    for (const task of tasks) this.#schedule(task, 0);
  }

  /** Starts no further run and waits for those in progress. */
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
      const fields = { err: error, task: task.name };
      this.#logger.warn(fields, 'a periodic task failed; it is tried again at its next time');
    }
    // Varied, so that workers that started together do not run their tasks together for ever.
    this.#schedule(task, more ? pauseMs : task.everyMs * (0.9 + Math.random() * 0.2));
  }
}
