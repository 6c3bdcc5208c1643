import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { TaskArguments, TaskReport, TaskResult } from './stream-task.js';

const script = fileURLToPath(new URL('stream-process.js', import.meta.url));

/** A contender at work in a process of its own. */
export interface RunningTask {
  /** Resolves when the warm-up is over. Rejects as `result` does. */
  readonly begun: Promise<void>;
  /** @throws Error when the process ends without a result, or takes too long */
  readonly result: Promise<TaskResult>;
  /** Ends the process, unless it has ended by itself. */
  stop(): void;
}

/** @param timeoutMs - for all of it, the start of the process included */
export function startTask(task: TaskArguments, timeoutMs: number): RunningTask {
  // kafkajs by itself asks for timers in the past, and Node says so each time.
  const execArgv = ['--disable-warning=TimeoutNegativeWarning'];
  const child = fork(script, [JSON.stringify(task)], { execArgv });
  const begun = Promise.withResolvers<void>();
  const result = Promise.withResolvers<TaskResult>();
  const fail = (reason: string): void => {
    const error = new Error(`${task.contender}, ${task.task.kind}: ${reason}`);
    begun.reject(error);
    result.reject(error);
    child.kill('SIGKILL');
  };
  const timer = setTimeout(() => fail(`not done in ${timeoutMs / 1_000} s`), timeoutMs);
  child.on('message', (report: TaskReport) => {
    if (report.type === 'begun') begun.resolve();
    else result.resolve(report.result);
  });
  child.once('error', ({ message }) => fail(message));
  child.once('exit', (code) => {
    clearTimeout(timer);
    fail(`the process ended with ${code}`);
  });
  // Whoever waits for one of them only must not be told of the other.
  begun.promise.catch(() => undefined);
  result.promise.catch(() => undefined);
  return { begun: begun.promise, result: result.promise, stop: () => void child.kill('SIGKILL') };
}
