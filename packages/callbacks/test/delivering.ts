import { createAddressGuard, createEgress, type Egress } from '@posthaste/egress';
import type { Database } from '@posthaste/postgres';
import { afterEach, expect, vi } from 'vitest';
import type { HttpClient } from '../src/delivery/attempt-request.js';
import type { CallbackState } from '../src/delivery/delivery.js';
import { Dispatcher, type DispatcherDeps } from '../src/dispatch/dispatcher.js';
import type { DispatcherOptions } from '../src/dispatch/dispatcher-options.js';
import { CachedEndpointDirectory } from '../src/dispatch/endpoint-directory.js';
import type { CallbackView } from '../src/lookup/callback-view.js';
import { findCallback } from '../src/lookup/read-store.js';
import type { StoreOfTest } from './test-store.js';

/** Calls of a dispatcher's observer. */
export interface Seen {
  leasesLost: number;
  leasesExpired: number;
  readonly errors: unknown[];
}

/** Dispatcher of a test, with its HTTP client. */
export interface TestDispatcher {
  readonly dispatcher: Dispatcher;
  readonly seen: Seen;
  /** Closes the dispatcher within `graceMs`, default 5,000, and its HTTP client. */
  close(graceMs?: number): Promise<void>;
}

const testOptions: DispatcherOptions = {
  holder: 'test worker',
  userAgent: 'Posthaste test',
  maxResponseBytes: 64,
  leaseMarginMs: 500,
  slots: {
    total: 64,
    perApplication: 48,
    origin: { max: 32, initial: 8, minOpenMs: 200, maxOpenMs: 1_000 },
  },
  maxUnknowns: 3,
  pollMs: 100,
  recordWindowMs: 2,
  orderedRecordWindowMs: 2,
  maxBatch: 64,
  maxLargeBodyBytes: 1_048_576,
};

/** Starts a dispatcher that delivers over real HTTP, to this machine too. */
export async function startDispatcher(
  db: Database,
  options: DispatcherOptions = {},
  deps: Partial<DispatcherDeps> = {},
): Promise<TestDispatcher> {
  const egress = createTestEgress();
  const seen: Seen = { leasesLost: 0, leasesExpired: 0, errors: [] };
  const dispatcher = new Dispatcher(
    {
      db,
      http: egress,
      signer: { sign: () => undefined },
      endpoints: new CachedEndpointDirectory(db, { cacheTtlMs: 50 }),
      observer: {
        claimed: () => undefined,
        attempted: () => undefined,
        leasesLost: (count) => {
          seen.leasesLost += count;
        },
        leasesExpired: (count) => {
          seen.leasesExpired += count;
        },
        error: (error) => seen.errors.push(error),
      },
      ...deps,
    },
    { ...testOptions, ...options },
  );
  await dispatcher.start();
  return {
    dispatcher,
    seen,
    async close(graceMs = 5_000) {
      await dispatcher.close(graceMs);
      await egress.close();
    },
  };
}

/**
 * Returns a function that starts dispatchers on the test's database. They are closed after the
 * test.
 */
export function useDispatchers(store: StoreOfTest): StartDispatcher {
  const started: TestDispatcher[] = [];
  afterEach(async () => {
    for (const dispatcher of started.splice(0)) await dispatcher.close(500);
  });
  return async (options, deps) => {
    const dispatcher = await startDispatcher(store.db, options, deps);
    started.push(dispatcher);
    return dispatcher;
  };
}

type StartDispatcher = (
  options?: DispatcherOptions,
  deps?: Partial<DispatcherDeps>,
) => Promise<TestDispatcher>;

/** Returns a callback. @throws Error when it does not exist */
export async function viewOf(db: Database, id: string): Promise<CallbackView> {
  const view = await findCallback(db, id, 'all');
  if (!view) throw new Error(`callback ${id} does not exist`);
  return view;
}

/** Waits up to 10 s for a callback to be in this state, and returns it. */
export function untilState(db: Database, id: string, state: CallbackState): Promise<CallbackView> {
  return vi.waitFor(
    async () => {
      const view = await viewOf(db, id);
      expect(view.state).toBe(state);
      return view;
    },
    { timeout: 10_000, interval: 20 },
  );
}

/** Creates an HTTP client that may call this machine. */
export function createTestEgress(): Egress & HttpClient {
  return createEgress({
    guard: createAddressGuard({ allowLoopback: true }),
    closeTimeoutMs: 100,
  });
}
