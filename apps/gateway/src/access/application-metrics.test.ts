import type { ApplicationUsage } from '@posthaste/access';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { addApplicationMetrics } from './application-metrics.js';

const measuredAt = new Date();

function usageOf(backlogs: Record<string, number>): ReadonlyMap<string, ApplicationUsage> {
  return new Map(
    Object.entries(backlogs).map(([application, backlog]) => [
      application,
      { backlog, endpoints: 0, storedBytes: backlog * 10, measuredAt },
    ]),
  );
}

describe('metrics of applications', () => {
  it('show what each uses, with one read for a scrape', async () => {
    const registry = new Registry();
    let reads = 0;
    let backlogs: Record<string, number> = { shop: 3, '': 1, 'a "quoted" one': 2 };
    addApplicationMetrics(registry, async () => {
      reads += 1;
      return usageOf(backlogs);
    });
    const text = await registry.metrics();
    expect(text).toContain('posthaste_application_backlog{application="shop"} 3');
    expect(text).toContain('posthaste_application_backlog{application=""} 1');
    expect(text).toContain(
      'posthaste_application_stored_bytes{application="a \\"quoted\\" one"} 20',
    );
    expect(text).not.toContain('posthaste_application_endpoints{');
    expect(reads).toBe(1);
    backlogs = { pay: 1 };
    expect(await registry.metrics()).not.toContain('shop');
  });

  it('are of the hundred applications with most', async () => {
    const registry = new Registry();
    const backlogs = Object.fromEntries(Array.from({ length: 150 }, (_, i) => [`a${i}`, i + 1]));
    addApplicationMetrics(registry, async () => usageOf(backlogs));
    const text = await registry.metrics();
    expect(text.match(/posthaste_application_backlog\{/g)).toHaveLength(100);
    expect(text).toContain('{application="a149"} 150');
    expect(text).not.toContain('{application="a49"}');
  });

  it('have no series while the database is away', async () => {
    const registry = new Registry();
    addApplicationMetrics(registry, () => Promise.reject(new Error('away')));
    expect(await registry.metrics()).not.toContain('posthaste_application_backlog{');
  });
});
