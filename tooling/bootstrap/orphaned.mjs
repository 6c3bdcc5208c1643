import { readFileSync } from 'node:fs';

/** Time between two checks, in ms. */
const checkIntervalMs = 500;

/**
 * Calls `callback` once when the process that started this one has ended. npm runs scripts in a shell.
 * When npm is stopped, it signals only that shell, which passes nothing on; when npm is killed, the
 * shell keeps running. So the parent is watched and, behind npm's shell, npm itself (on Linux, where it
 * can be found without running a program). The process that started npm is not watched: its end must
 * not end a daemon.
 * @returns {() => void} function that ends the watch
 */
export function whenOrphaned(callback) {
  const watched = starters();
  const timer = setInterval(() => {
    if (starters().join() === watched.join()) return;
    clearInterval(timer);
    callback();
  }, checkIntervalMs);
  return () => clearInterval(timer);
}

/** Returns the process ids that are watched. */
function starters() {
  const shell = process.ppid;
  const [, option] = read(shell, 'cmdline')?.split('\0') ?? [];
  const isScriptShell = process.env.npm_lifecycle_event !== undefined && option === '-c';
  return isScriptShell ? [shell, parentOf(shell)] : [shell];
}

function parentOf(pid) {
  // `pid (name) state ppid …`; the name may contain any character.
  return read(pid, 'stat')?.replace(/^.*\)/s, '').trim().split(' ')[1];
}

function read(pid, name) {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return undefined;
  }
}
