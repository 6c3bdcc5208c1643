import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';

/*
 * A server that a test has started must not outlive the test process, not even if that is killed with
 * SIGKILL. The watchdog is a shell that reads from a pipe whose other end only this process holds.
 * When this process ends, for any reason, the kernel closes the pipe and the shell cleans up.
 */
const script = `
pid=
while read -r line; do pid=$line; done
if [ -n "$pid" ]; then
  kill -STOP "$pid"
  children=$(cat "/proc/$pid/task/$pid/children" || pgrep -P "$pid")
  kill -KILL "$pid" $children
fi
# Twice if necessary: the process that was just killed may have been writing.
if [ -n "$1" ]; then rm -rf "$1" || { sleep 1; rm -rf "$1"; }; fi
shift
"$@"
`;

/** Shell that cleans up when this process ends. */
export interface Watchdog {
  /** Sets the process that must not outlive this one; undefined while there is none. */
  guard(pid: number | undefined): void;
  /** Ends the watchdog: it kills nothing, removes the folder and runs the command now. */
  close(): void;
}

/** Options of `startWatchdog`. */
export interface WatchdogOptions {
  /** Folder that is removed when this process ends. */
  readonly folder?: string;
  /** Program with arguments that is run then. */
  readonly command?: readonly string[];
}

/** Starts a watchdog: when this process ends, it kills the guarded process with its children, and cleans up. */
export function startWatchdog({ folder = '', command = [] }: WatchdogOptions = {}): Watchdog {
  // Detached, because Ctrl-C in a terminal goes to the whole process group and must not reach it.
  const child = spawn('/bin/sh', ['-c', script, 'watchdog', folder, ...command], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // It is only a safety net: if it fails, everything else works.
  child.on('error', () => undefined);
  child.stdin.on('error', () => undefined);
  child.unref();
  (child.stdin as Socket).unref();
  return {
    guard: (pid) => void child.stdin.write(`${pid ?? ''}\n`),
    close: () => void child.stdin.end('\n'),
  };
}
