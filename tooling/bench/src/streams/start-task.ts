import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { TaskArguments, TaskReport, TaskResult } from './stream-task.js';

const script = fileURLToPath(new URL('stream-process.js', import.meta.url));

/** A task that a contender runs in a separate process. */
export interface RunningTask {
  /** Resolves when the warm-up is over. Rejects as `result` does. */
  readonly begun: Promise<void>;
  /** Rejects if the process ends without a result, or takes too long. */
  readonly result: Promise<TaskResult>;
  /** Kills the process, unless it has ended. */
  stop(): void;
}

/**
 * Starts a process that runs a task.
 * @param timeoutMs time limit in ms, the start of the process included
 */
export function startTask(task: TaskArguments, timeoutMs: number): RunningTask {
  // kafkajs sets timers in the past, and Node warns each time.
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
    fail(`the process ended with code ${code}`);
  });
  // A caller may wait for only one of them: the rejection of the other must not be unhandled.
  begun.promise.catch(() => undefined);
  result.promise.catch(() => undefined);
  return { begun: begun.promise, result: result.promise, stop: () => void child.kill('SIGKILL') };
}
