import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { describe } from 'vitest';
import { createPostgresDriver } from '../src/drivers/postgres/postgres-driver.js';
import { testDriver } from './conformance.js';
import type { ConformanceTarget } from './conformance-target.js';
import { openTestLog } from './open-log.js';

const leaseMs = 600;

async function openTarget(engine: 'postgres' | 'embedded'): Promise<ConformanceTarget> {
  const { log, close } = await openTestLog(engine);
  return {
    connect: () => createPostgresDriver(log, { leaseMs, pollMs: 100 }),
    createTopic: async (topic, partitions) => void (await log.ensureTopic(topic, partitions)),
    tooLargeBytes: 1_048_577,
    sessionMs: leaseMs,
    settleMs: 10_000,
    close,
  };
}

describeWithPostgres('the postgres driver', () => testDriver(() => openTarget('postgres')));

describe('the postgres driver on the embedded database', () =>
  testDriver(() => openTarget('embedded')));
