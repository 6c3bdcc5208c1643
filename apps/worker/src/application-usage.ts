import { claimMeasurement, hasOwnLimits, storeUsage, type UsageName } from '@posthaste/access';
import {
  type Amounts,
  addAmounts,
  measureBacklog,
  measureCallbackBytes,
  measureEndpoints,
} from '@posthaste/callbacks';
import { measureRecordBytes } from '@posthaste/eventstream/event-log';
import type { Database, Queryable } from '@posthaste/postgres';

/** Limits of applications without limits of their own, as settings; 0 is none. */
export interface UsageOptions {
  readonly maxApplicationBacklog: number;
  readonly maxApplicationEndpoints: number;
  readonly maxApplicationStoredBytes: number;
}

interface Measurement {
  readonly name: UsageName;
  readonly everyMs: number;
  readonly measure: (db: Queryable) => Promise<Amounts>;
}

const measurements: readonly Measurement[] = [
  { name: 'backlog', everyMs: 5_000, measure: measureBacklog },
  { name: 'endpoints', everyMs: 5_000, measure: measureEndpoints },
  { name: 'storedBytes', everyMs: 30_000, measure: measureBytes },
];

/**
 * Measures what the limits of applications are about, if any application has a limit. Of several
 * workers, one measures.
 */
export async function measureUsage(db: Database, options: UsageOptions): Promise<void> {
  const hasDefaults = Object.values({
    backlog: options.maxApplicationBacklog,
    endpoints: options.maxApplicationEndpoints,
    storedBytes: options.maxApplicationStoredBytes,
  }).some((limit) => limit > 0);
  if (!hasDefaults && !(await hasOwnLimits(db))) return;
  for (const { name, everyMs, measure } of measurements) {
    await db.transaction(async (tx) => {
      // A little less: the task that calls this varies its own interval.
      if (!(await claimMeasurement(tx, { name, withinMs: everyMs * 0.8 }))) return;
      await storeUsage(tx, name, await measure(tx));
    });
  }
}

async function measureBytes(db: Queryable): Promise<Amounts> {
  return addAmounts(await measureCallbackBytes(db), await measureRecordBytes(db));
}
