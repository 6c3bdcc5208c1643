import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import { type AmbientDatabase, ambientDatabase } from '@posthaste/postgres';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { beforeAll, expect, it } from 'vitest';
import { accept, claim, record } from '../test/live-callbacks.js';
import { useSharedStore } from '../test/test-store.js';
import { pauseEndpoint, resumeEndpoint } from './endpoints/endpoint-state.js';
import { Endpoints } from './endpoints/endpoints.js';
import { Policies } from './retry/policies.js';
import { createSecretBox } from './secrets/secret-box.js';
import { Secrets } from './secrets/secrets.js';

const rules = { defaultTimeoutMs: 15_000, maxTimeoutMs: 30_000, urlFault: () => undefined };

describeWithPostgres('changes in a transaction of the caller', () => {
  const store = useSharedStore();
  let ambient: AmbientDatabase;
  /** Runs something as another caller does, outside of the transaction. */
  let elsewhere: ReturnType<typeof AsyncLocalStorage.snapshot>;
  beforeAll(() => {
    ambient = ambientDatabase(store.db);
    elsewhere = AsyncLocalStorage.snapshot();
  });

  it('a policy that another caller reads meanwhile is read again after the commit', async () => {
    const key = { application: 'shop', name: 'p' };
    const policies = new Policies(ambient, { cacheTtlMs: 60_000 });
    await policies.put(key, { phases: [] });
    await ambient.runInTransaction(async () => {
      await policies.put(key, { phases: [{ retries: 1, delayMs: 5 }] });
      const before = await elsewhere(() => policies.resolve(key));
      expect(before).toEqual({ kind: 'phases', phases: [] });
    });
    expect(await policies.resolve(key)).toMatchObject({ phases: [{ retries: 1 }] });
  });

  it('the callbacks of an endpoint are released after the commit, in transactions of their own', async () => {
    const secrets = new Secrets(ambient, createSecretBox(randomBytes(32)));
    const endpoints = new Endpoints({ db: ambient, secrets, rules });
    const { endpoint } = await endpoints.create({
      application: 'shop',
      name: 'e',
      url: 'https://example.com/',
    });
    await accept(store.db, { application: 'shop', endpointId: endpoint.id });
    await pauseEndpoint(store.db, endpoint.id, { within: 'all' });
    await record(store.db, await claim(store.db, 5_000), { kind: 'hold' });
    const held = async (): Promise<number> =>
      (await store.db.query("select from callbacks.head where hold = 'endpoint'")).rowCount;
    await ambient.runInTransaction(async (tx) => {
      await resumeEndpoint(ambient, endpoint.id, { within: 'all' });
      expect((await tx.query("select from callbacks.head where hold = 'endpoint'")).rowCount).toBe(
        1,
      );
    });
    expect(await held()).toBe(0);
    await pauseEndpoint(store.db, endpoint.id, { within: 'all' });
    await record(store.db, await claim(store.db, 5_000), { kind: 'hold' });
    await ambient.runInTransaction(async () => {
      await endpoints.remove(endpoint.id, 'all');
      expect(await held()).toBe(1);
    });
    expect(await held()).toBe(0);
  });
});
