import type { ApplicationUsage } from '@posthaste/access';
import { Gauge, type Registry } from 'prom-client';

/** Most applications with series: those with the highest amounts. Names of callers must not be without bound. */
const maxApplications = 100;

type Amount = Exclude<keyof ApplicationUsage, 'measuredAt'>;

const metrics: Readonly<Record<Amount, { readonly name: string; readonly help: string }>> = {
  backlog: {
    name: 'posthaste_application_backlog',
    help: `Callbacks that are not finished, of the ${maxApplications} applications with most.`,
  },
  endpoints: {
    name: 'posthaste_application_endpoints',
    help: `Endpoints of the ${maxApplications} applications with most.`,
  },
  storedBytes: {
    name: 'posthaste_application_stored_bytes',
    help: `Stored bytes of the ${maxApplications} applications with most.`,
  },
};

/**
 * Adds what applications use, as workers measure it, with the label `application`. Does so once per
 * registry.
 *
 * @param readUsage returns the usage of all applications; called once for each scrape
 */
export function addApplicationMetrics(
  registry: Registry,
  readUsage: () => Promise<ReadonlyMap<string, ApplicationUsage>>,
): void {
  if (registry.getSingleMetric(metrics.backlog.name)) return;
  let reading: Promise<ReadonlyMap<string, ApplicationUsage>> | undefined;
  /** The gauges of one scrape share a read. Without the database they have no series. */
  const read = () => {
    reading ??= readUsage()
      .catch(() => new Map<string, ApplicationUsage>())
      .finally(() => {
        reading = undefined;
      });
    return reading;
  };
  for (const amount of ['backlog', 'endpoints', 'storedBytes'] as const) {
    new Gauge({
      ...metrics[amount],
      labelNames: ['application'],
      registers: [registry],
      async collect() {
        const usage = await read();
        this.reset();
        for (const [application, value] of findHighest(usage, amount)) {
          this.set({ application }, value);
        }
      },
    });
  }
}

function findHighest(
  usage: ReadonlyMap<string, ApplicationUsage>,
  amount: Amount,
): (readonly [string, number])[] {
  return [...usage]
    .map(([application, each]) => [application, each[amount]] as const)
    .filter(([, value]) => value > 0)
    .sort(([, a], [, b]) => b - a)
    .slice(0, maxApplications);
}
