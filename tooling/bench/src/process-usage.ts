/** What processes have used, read from Linux's /proc. */

import { readdirSync, readFileSync } from 'node:fs';

/** Unit of times in /proc/<pid>/stat: 1/100 s on every Linux that Node runs on. */
const ticksPerSecond = 100;

interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  /** CPU seconds of the process itself, and of its children that have ended. */
  readonly ownSeconds: number;
  readonly endedChildrenSeconds: number;
}

/** CPU seconds (user and system) used by a process until now. */
export function cpuSeconds(pid: number): number {
  return readStat(pid).ownSeconds;
}

/** CPU seconds used by a process and all its descendants until now, ended ones included. */
export function treeCpuSeconds(root: number): number {
  const all = readAllStats();
  const tree = new Set([root]);
  // A set takes additions while it is walked: children of children are found as well.
  for (const pid of tree) {
    for (const each of all) if (each.parent === pid) tree.add(each.pid);
  }
  return all
    .filter(({ pid }) => tree.has(pid))
    .reduce((total, each) => total + each.ownSeconds + each.endedChildrenSeconds, 0);
}

/** The largest resident set a process has had so far, in MiB. */
export function peakRssMib(pid: number): number {
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib ?? Number.NaN) / 1024;
}

/** The process that started this one. */
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
      // It ended between the listing and the reading: its parent has its time now.
      return [];
    }
  });
}

function readStat(pid: number): ProcessStat {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // Fields 3 and following: the second, a name in parentheses, may hold spaces itself.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const field = (number: number) => Number(fields[number - 3]);
  return {
    pid,
    parent: field(4),
    ownSeconds: (field(14) + field(15)) / ticksPerSecond,
    endedChildrenSeconds: (field(16) + field(17)) / ticksPerSecond,
  };
}
