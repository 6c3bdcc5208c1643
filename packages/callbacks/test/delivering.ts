import { createAddressGuard, createEgress, type Egress } from '@posthaste/egress';
import type { Database } from '@posthaste/postgres';
import { afterEach, expect, vi } from 'vitest';
import type { HttpClient } from '../src/delivery/attempt-request.js';
import type { CallbackState } from '../src/delivery/delivery.js';
import {
  Dispatcher,
  type DispatcherDeps,
  type DispatcherOptions,
} from '../src/dispatch/dispatcher.js';
import { CachedEndpointDirectory } from '../src/dispatch/endpoint-directory.js';
import { noEvents } from '../src/events/callback-events.js';
import type { CallbackView } from '../src/lookup/callback-view.js';
import { findCallback } from '../src/lookup/read-store.js';
import { createResultEffects } from '../src/results/result-effects.js';
import type { StoreOfTest } from './test-store.js';

/** What a test saw of a dispatcher. */
export interface Seen {
  lost: number;
  tookOver: number;
  readonly errors: unknown[];
}

export interface TestDispatcher {
  readonly dispatcher: Dispatcher;
  readonly seen: Seen;
  /** Ends it within `graceMs`, and its HTTP client. */
  close(graceMs?: number): Promise<void>;
}

const defaults: DispatcherOptions = {
  holder: 'test worker',
  userAgent: 'Posthaste test',
  maxResponseBytes: 64,
  leaseMs: 30_000,
  leaseMarginMs: 500,
  slots: {
    total: 64,
    perApplication: 48,
    origin: { max: 32, initial: 8, breakAfter: 20, minOpenMs: 200, maxOpenMs: 1_000 },
  },
  maxChain: 100,
  maxUnknowns: 3,
  pollMs: 100,
  recordWindowMs: 2,
  orderedRecordWindowMs: 2,
  maxBatch: 64,
  maxLargeBodyBytes: 1_048_576,
};

/** A dispatcher that delivers over real HTTP, to this machine too. */
export async function startDispatcher(
  db: Database,
  options: Partial<DispatcherOptions> = {},
  deps: Partial<DispatcherDeps> = {},
): Promise<TestDispatcher> {
  const egress = createTestEgress();
  const seen: Seen = { lost: 0, tookOver: 0, errors: [] };
  const dispatcher = new Dispatcher(
    {
      db,
      http: egress,
      signer: { sign: () => undefined },
      endpoints: new CachedEndpointDirectory(db, { cacheTtlMs: 50 }),
      observer: {
        claimed: () => undefined,
        attempted: () => undefined,
        lost: (count) => {
          seen.lost += count;
        },
        tookOver: (count) => {
          seen.tookOver += count;
        },
        error: (error) => seen.errors.push(error),
      },
      effects: createResultEffects(noEvents),
      ...deps,
    },
    { ...defaults, ...options },
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

/** Starts dispatchers on the database of the test, at the end of which they are closed. */
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
  options?: Partial<DispatcherOptions>,
  deps?: Partial<DispatcherDeps>,
) => Promise<TestDispatcher>;

/** @throws Error when there is no such callback */
export async function viewOf(db: Database, id: string): Promise<CallbackView> {
  const view = await findCallback(db, id);
  if (!view) throw new Error(`no callback ${id}`);
  return view;
}

/** The callback once it is in this state, within 10 s. */
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

export function createTestEgress(): Egress & HttpClient {
  return createEgress({
    guard: createAddressGuard({ allowLoopback: true }),
    closeTimeoutMs: 100,
  });
}
