import { readFileSync } from 'node:fs';

/** Between two looks, in ms. */
const lookMs = 500;

/**
 * Calls back once when who started this process is gone. npm runs scripts in a shell: when npm is
 * stopped it tells that shell alone, which passes nothing on, and when it is killed it tells nobody
 * and the shell stays. So the parent counts, and, behind npm's shell, npm itself (on Linux, where it
 * can be found without running a program). Whoever started npm may go: that ends no daemon.
 * @returns {() => void} ends the watch
 */
export function whenOrphaned(callback) {
  const watched = starters();
  const timer = setInterval(() => {
    if (starters().join() === watched.join()) return;
    clearInterval(timer);
    callback();
  }, lookMs);
  return () => clearInterval(timer);
}

function starters() {
  const shell = process.ppid;
  const [, option] = read(shell, 'cmdline')?.split('\0') ?? [];
  const isScriptShell = process.env.npm_lifecycle_event !== undefined && option === '-c';
  return isScriptShell ? [shell, parentOf(shell)] : [shell];
}

function parentOf(pid) {
  // `pid (name) state ppid …`, and the name may hold anything.
  return read(pid, 'stat')?.replace(/^.*\)/s, '').trim().split(' ')[1];
}

function read(pid, name) {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return undefined;
  }
}
