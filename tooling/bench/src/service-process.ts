import { fork } from 'node:child_process';
import type { ServiceProcess } from './contender.js';

const stopWithinMs = 20_000;

/** A process that serves. */
export interface StartedProcess<Ready> extends ServiceProcess {
  /** Its first message. */
  readonly ready: Ready;
}

/**
 * Forks a Node script whose first IPC message means that it serves. It is stopped with SIGTERM, and with
 * SIGKILL after 20 seconds.
 *
 * @param env variables in addition to those of this process
 * @throws Error if it ends before that message
 */
export async function startProcess<Ready>(
  script: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<StartedProcess<Ready>> {
  const child = fork(script, [...args], { env: { ...process.env, ...env } });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const ready = await new Promise<Ready>((resolve, reject) => {
    child.once('message', (message) => resolve(message as Ready));
    child.once('error', reject);
    child.once('exit', (code) =>
      reject(new Error(`${script} ended with code ${code} during its start`)),
    );
  });
  return {
    pid: child.pid ?? 0,
    ready,
    exited,
    async stop() {
      child.kill('SIGTERM');
      const killer = setTimeout(() => child.kill('SIGKILL'), stopWithinMs);
      await exited;
      clearTimeout(killer);
    },
  };
}
