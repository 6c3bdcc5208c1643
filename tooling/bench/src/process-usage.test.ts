import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { cpuSeconds, parentOf, peakRssMib, treeCpuSeconds } from './process-usage.js';

describe.runIf(process.platform === 'linux')('process usage', () => {
  it('is read from a running process', () => {
    const own = process.cpuUsage();
    expect(cpuSeconds(process.pid)).toBeCloseTo((own.user + own.system) / 1e6, 0);
    expect(peakRssMib(process.pid)).toBeGreaterThanOrEqual(process.memoryUsage.rss() / 2 ** 20 - 8);
    expect(parentOf(process.pid)).toBe(process.ppid);
  });

  it('includes children, even if they have ended', () => {
    const ofChildren = () => treeCpuSeconds(process.pid) - cpuSeconds(process.pid);
    const before = ofChildren();
    execFileSync(process.execPath, ['-e', 'while (process.cpuUsage().user < 300_000);']);
    expect(ofChildren() - before).toBeGreaterThanOrEqual(0.25);
  });
});
