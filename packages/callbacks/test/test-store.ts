import type { Database } from '@posthaste/postgres';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { findFaults, openTestStore, type TestStore } from './live-callbacks.js';

/** The database of the test that runs: there is none before its hooks have run. */
export interface StoreOfTest {
  readonly db: Database;
}

/** One database for all tests of the suite. */
export function useSharedStore(engine?: 'postgres' | 'embedded'): StoreOfTest {
  let store: TestStore | undefined;
  beforeAll(async () => {
    store = await openTestStore(engine);
  });
  afterAll(() => store?.close());
  return toStoreOfTest(() => store);
}

/** The same, without callbacks at the start of each test; each must leave them sound. */
export function useEmptiedStore(engine?: 'postgres' | 'embedded'): StoreOfTest {
  const store = useSharedStore(engine);
  afterEach(async () => {
    const faults = await findFaults(store.db);
    await store.db.query(
      `truncate callbacks.head, callbacks.waiting, callbacks.request, callbacks.history,
         callbacks.queue, callbacks.replay`,
    );
    expect(faults).toEqual([]);
  });
  return store;
}

/** A database for each test, which must leave its callbacks sound. */
export function useOwnStore(): StoreOfTest {
  let store: TestStore | undefined;
  beforeEach(async () => {
    store = await openTestStore();
  });
  afterEach(async () => {
    if (!store) return;
    const faults = await findFaults(store.db);
    await store.close();
    expect(faults).toEqual([]);
  });
  return toStoreOfTest(() => store);
}

function toStoreOfTest(find: () => TestStore | undefined): StoreOfTest {
  return {
    get db() {
      const store = find();
      if (!store) throw new Error('the store is opened by hooks, for tests and later hooks');
      return store.db;
    },
  };
}
