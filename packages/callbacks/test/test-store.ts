import type { Database } from '@posthaste/postgres';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { findFaults, openTestStore, type TestStore } from './live-callbacks.js';

/** Database of the running test. It is opened by hooks. */
export interface StoreOfTest {
  readonly db: Database;
}

/** Opens one database for all tests of the suite. */
export function useSharedStore(engine?: 'postgres' | 'embedded'): StoreOfTest {
  let store: TestStore | undefined;
  beforeAll(async () => {
    store = await openTestStore(engine);
  });
  afterAll(() => store?.close());
  return toStoreOfTest(() => store);
}

/**
 * Opens one database for the suite, emptied after each test, which must not violate its invariants.
 */
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

/** Opens a database for each test, which must not violate its invariants. */
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
      if (!store) throw new Error('the database is opened by a hook that has not run yet');
      return store.db;
    },
  };
}
