import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Sends a signal. A process that has ended already is not an error. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

/** Signals a process and its direct children, the process first. Returns their ids. */
export async function signalTree(pid: number, signal: NodeJS.Signals): Promise<number[]> {
  const pids = [pid, ...(await listChildPids(pid))];
  for (const each of pids) signalProcess(each, signal);
  return pids;
}

/** Kills a process and its direct children at once, as a crash of the machine would. */
export async function killTree(pid: number): Promise<void> {
  // Stopped first, so that it cannot fork between the listing and the kill.
  signalProcess(pid, 'SIGSTOP');
  const pids = await signalTree(pid, 'SIGKILL');
  await Promise.all(pids.map((each) => waitUntilGone(each)));
}

/** Returns the direct children of a process; an empty list if it has ended. */
export async function listChildPids(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() =>
    // The file is missing on macOS and on some Linux kernels. pgrep fails if it finds no child.
    run('pgrep', ['-P', String(pid)]).then(
      ({ stdout }) => stdout,
      () => '',
    ),
  );
  return text.split(/\s+/).filter(Boolean).map(Number);
}

/** Waits until a process has ended, or is a zombie. @throws Error after `timeoutMs` */
export async function waitUntilGone(pid: number, timeoutMs = 10_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (await isRunning(pid)) {
    if (performance.now() > deadline) throw new Error(`process ${pid} did not end`);
    await sleep(5);
  }
}

async function isRunning(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return !isGone(error);
  }
  // A zombie accepts signals until its parent collects it, which in a container may never happen.
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return !/^\d+ \(.*\) Z/s.test(stat);
}

function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ESRCH';
}
