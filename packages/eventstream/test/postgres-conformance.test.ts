import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { describe } from 'vitest';
import { createPostgresDriver } from '../src/drivers/postgres/postgres-driver.js';
import { testDriver } from './conformance.js';
import type { ConformanceTarget } from './conformance-target.js';
import { openTestLog } from './open-log.js';

/** Long enough not to run out on a busy machine. One test takes a third longer. */
const leaseMs = 2_000;

async function openTarget(engine: 'postgres' | 'embedded'): Promise<ConformanceTarget> {
  const { log, close } = await openTestLog(engine);
  return {
    connect: () => createPostgresDriver(log, { leaseMs, pollMs: 100 }),
    createTopic: async (topic, partitions) => void (await log.ensureTopic(topic, partitions)),
    tooLargeBytes: 1_048_577,
    sessionMs: leaseMs,
    settleMs: 20_000,
    close,
  };
}

// The tests of a driver run at the same time, since most of it is waiting.
describeWithPostgres.concurrent('the postgres driver', { timeout: 60_000 }, () =>
  testDriver(() => openTarget('postgres')),
);

describe.concurrent('the postgres driver on the embedded database', () =>
  testDriver(() => openTarget('embedded')));
