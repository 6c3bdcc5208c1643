import {
  CachedEndpointDirectory,
  createDeliverySigner,
  createSecretBox,
  Dispatcher,
  Secrets,
} from '@posthaste/callbacks';
import { createAddressGuard, createEgress } from '@posthaste/egress';
import type { Database } from '@posthaste/postgres';
import { testSecretKey } from './test-callbacks.js';

export interface TestWorker {
  close(): Promise<void>;
}

/**
 * Starts a worker that delivers to this machine, for tests of what the gateway shows afterwards.
 */
export async function startTestWorker(db: Database): Promise<TestWorker> {
  const http = createEgress({ guard: createAddressGuard({ allowLoopback: true }) });
  const dispatcher = new Dispatcher(
    {
      db,
      http,
      signer: createDeliverySigner(new Secrets(db, createSecretBox(testSecretKey))),
      endpoints: new CachedEndpointDirectory(db, { cacheTtlMs: 50 }),
      observer: {
        claimed: () => undefined,
        attempted: () => undefined,
        leasesLost: () => undefined,
        leasesExpired: () => undefined,
        error: (error) => {
          throw error;
        },
      },
    },
    {
      holder: 'test worker',
      userAgent: 'Posthaste test',
      maxResponseBytes: 1_024,
      leaseMs: 30_000,
      leaseMarginMs: 1_000,
      slots: {
        total: 16,
        perApplication: 16,
        origin: { max: 16, initial: 16, breakAfter: 20, minOpenMs: 100, maxOpenMs: 1_000 },
      },
      maxPerLease: 10,
      maxUnknowns: 3,
      pollMs: 50,
      recordWindowMs: 1,
      orderedRecordWindowMs: 1,
      maxBatch: 16,
      maxLargeBodyBytes: 1_048_576,
    },
  );
  await dispatcher.start();
  return {
    async close() {
      await dispatcher.close(5_000);
      await http.close();
    },
  };
}
