import type { FilterFault } from '@posthaste/callbacks';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { observeSubscriptions } from './stream-metrics.js';

const faultOf = (application: string, subscriptionId: string): FilterFault => ({
  subscriptionId,
  application,
  filter: '{}',
  code: 'FILTER_TOO_COSTLY',
  message: 'too much work',
  eventId: 'e1',
});

it('counts the faults of filters, and logs the new ones once for each application', async () => {
  const lines: Record<string, unknown>[] = [];
  const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const registry = new Registry();
  const { filterFaults } = observeSubscriptions(registry, logger);
  const many = Array.from({ length: 30 }, (_, n) => faultOf('shop', `s${n}`));
  filterFaults([...many, faultOf('bank', 'b1')], [...many, faultOf('bank', 'b1')]);
  filterFaults(many, []);
  expect(lines).toMatchObject([
    { level: 40, application: 'shop', code: 'FILTER_TOO_COSTLY', eventId: 'e1', count: 30 },
    { level: 40, application: 'bank', subscriptions: ['b1'], count: 1 },
  ]);
  expect(lines[0]?.subscriptions).toHaveLength(10);
  expect(await registry.metrics()).toContain(
    'posthaste_subscription_filter_faults_total{code="FILTER_TOO_COSTLY"} 61',
  );
});
