import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';

/*
 * A server that a test started must not outlive the test process, not even one that was ended
 * with SIGKILL. The watchdog is a shell that reads from a pipe whose other end only this process
 * holds: however this process ends, the kernel closes the pipe and the shell cleans up.
 */
const script = `
pid=
while read -r line; do pid=$line; done
if [ -n "$pid" ]; then
  kill -STOP "$pid"
  children=$(cat "/proc/$pid/task/$pid/children" || pgrep -P "$pid")
  kill -KILL "$pid" $children
fi
# Again if need be: what was just killed may have been writing.
if [ -n "$1" ]; then rm -rf "$1" || { sleep 1; rm -rf "$1"; }; fi
shift
"$@"
`;

export interface Watchdog {
  /** Names the process that must not outlive this one; undefined while there is none. */
  guard(pid: number | undefined): void;
  /** Nothing is killed any more; the folder and the command have their turn now. */
  close(): void;
}

export interface WatchdogOptions {
  /** Removed when this process ends. */
  readonly folder?: string;
  /** Program and arguments of what else is to be done then. */
  readonly command?: readonly string[];
}

/** Ends the guarded process (and its children) and cleans up when this process ends. */
export function startWatchdog({ folder = '', command = [] }: WatchdogOptions = {}): Watchdog {
  // Detached: Ctrl-C in a terminal goes to the whole process group and must not reach it.
  const child = spawn('/bin/sh', ['-c', script, 'watchdog', folder, ...command], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // It is a safety net only: without it everything works, so its failure is no reason to stop.
  child.on('error', () => undefined);
  child.stdin.on('error', () => undefined);
  child.unref();
  (child.stdin as Socket).unref();
  return {
    guard: (pid) => void child.stdin.write(`${pid ?? ''}\n`),
    close: () => void child.stdin.end('\n'),
  };
}
