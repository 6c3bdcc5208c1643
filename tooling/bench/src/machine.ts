import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os';
import type { StoreFacts } from './stores/store.js';

/** Machine and versions of a report. */
export interface MachineFacts {
  readonly date: string;
  /** Short hash, with `+` if files were changed. */
  readonly commit: string;
  readonly cores: number;
  readonly cpu: string;
  readonly memoryGib: number;
  readonly system: string;
  readonly node: string;
  /** Load average of the minute before; more than a few tenths disturb the results. */
  readonly loadBefore: number;
  readonly packages: Readonly<Record<string, string>>;
}

/** Reads the facts of this machine and this checkout. */
export function readMachineFacts(): MachineFacts {
  return {
    date: new Date().toISOString(),
    commit: readCommit(),
    cores: availableParallelism(),
    cpu: cpus()[0]?.model ?? 'unknown',
    memoryGib: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    node: process.version,
    loadBefore: Math.round((loadavg()[0] ?? 0) * 100) / 100,
    packages: readPinnedVersions(),
  };
}

/** Renders the facts as a Markdown list, with those of the stores by name. */
export function describeMachine(
  machine: MachineFacts,
  stores: Readonly<Record<string, StoreFacts | string>>,
): string {
  const { cores, cpu, memoryGib, system, node, loadBefore } = machine;
  const list = (facts: StoreFacts) =>
    Object.entries(facts)
      .map(([name, value]) => `${name} ${value === '' ? "''" : value}`)
      .join(', ');
  return [
    `# ${machine.date}, commit ${machine.commit}`,
    '',
    `- ${cores} cores (${cpu}), ${memoryGib} GiB, ${system}, Node ${node}; load before ${loadBefore}`,
    `- packages: ${list(machine.packages)}`,
    ...Object.entries(stores).map(
      ([name, facts]) => `- ${name}: ${typeof facts === 'string' ? facts : list(facts)}`,
    ),
  ].join('\n');
}

function readCommit(): string {
  const git = (...args: string[]) =>
    execFileSync('git', args, {
      cwd: import.meta.dirname,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  try {
    const isChanged = git('status', '--porcelain', '--untracked-files=no') !== '';
    return git('rev-parse', '--short', 'HEAD') + (isChanged ? '+' : '');
  } catch {
    // A copy without its git history can be measured as well.
    return 'unknown';
  }
}

function readPinnedVersions(): Record<string, string> {
  const manifest = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  ) as { dependencies: Record<string, string> };
  return Object.fromEntries(
    Object.entries(manifest.dependencies).filter(([, version]) => /^\d/.test(version)),
  );
}
