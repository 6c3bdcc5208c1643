/** CPU time and memory of processes, read from Linux's /proc. */

import { readdirSync, readFileSync } from 'node:fs';

/** Unit of the times in /proc/<pid>/stat: 1/100 s on every Linux that Node runs on. */
const ticksPerSecond = 100;

/** Values of /proc/<pid>/stat. */
interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  /** CPU seconds of the process itself. */
  readonly ownSeconds: number;
  /** CPU seconds of its children that have ended. */
  readonly endedChildrenSeconds: number;
}

/** Returns the CPU seconds (user and system) that a process has used. */
export function cpuSeconds(pid: number): number {
  return readStat(pid).ownSeconds;
}

/** Returns the CPU seconds that a process and its descendants have used, ended ones included. */
export function treeCpuSeconds(root: number): number {
  const all = readAllStats();
  const tree = new Set([root]);
  // A set can grow while it is iterated, so children of children are found as well.
  for (const pid of tree) {
    for (const each of all) if (each.parent === pid) tree.add(each.pid);
  }
  return all
    .filter(({ pid }) => tree.has(pid))
    .reduce((total, each) => total + each.ownSeconds + each.endedChildrenSeconds, 0);
}

/** Returns the largest resident set of a process so far, in MiB. */
export function peakRssMib(pid: number): number {
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib ?? Number.NaN) / 1024;
}

/** Returns the id of the parent process. */
export function parentOf(pid: number): number {
  return readStat(pid).parent;
}

function readAllStats(): ProcessStat[] {
  return readdirSync('/proc').flatMap((name) => {
    const pid = Number(name);
    if (Number.isNaN(pid)) return [];
    try {
      return [readStat(pid)];
    } catch {
      // The process ended after the listing: its time is added to its parent's.
      return [];
    }
  });
}

function readStat(pid: number): ProcessStat {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // Fields 3 and following. The second, a name in parentheses, may contain spaces.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const field = (number: number) => Number(fields[number - 3]);
  return {
    pid,
    parent: field(4),
    ownSeconds: (field(14) + field(15)) / ticksPerSecond,
    endedChildrenSeconds: (field(16) + field(17)) / ticksPerSecond,
  };
}
