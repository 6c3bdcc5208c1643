import { randomUUID } from 'node:crypto';

import { migrate, openPostgres } from '@posthaste/postgres';
import { createTestDatabase } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { describe, expect, it, onTestFinished } from 'vitest';
import { useRealtimeDatabase } from '../../test/realtime-database.js';
import type { NamespaceSettings } from '../namespaces/namespace-settings.js';
import { readEpoch, removeRealtime } from './application-data.js';
import { realtimeMigrations } from './migrations.js';
import { NamespaceCache } from './namespace-cache.js';
import type { NamespaceRecord } from './namespace-record.js';
import { NamespaceStore } from './namespace-store.js';

const shop = (name: string) => ({ application: 'shop', name });
const shared = (name: string) => ({ application: undefined, name });

function suite(engine: 'postgres' | 'embedded'): void {
  const database = useRealtimeDatabase(engine);
  const createStore = () => new NamespaceStore(database());

  it('creates, changes and removes a namespace of an application', async () => {
    const store = createStore();
    const settings: NamespaceSettings = {
      durable: false,
      history: 5,
      publishAuthModes: ['API_KEY'],
      forwardTo: { topic: 'chat', name: 'chat.said' },
    };
    const made = await store.create(shop('chat'), settings, ['shop']);
    expect(made).toMatchObject({ application: 'shop', name: 'chat', settings });
    expect(await store.get(shop('chat'))).toEqual(made);
    const change = { within: ['shop'], ifMatch: [made.version] };
    const changed = await store.update(shop('chat'), { history: 7 }, change);
    expect(changed.settings).toEqual({ history: 7 });
    expect(changed.version).not.toBe(made.version);
    await expect(store.update(shop('chat'), {}, change)).rejects.toMatchObject({
      code: 'PRECONDITION_FAILED',
      details: { version: changed.version },
    });
    await expect(store.remove(shop('chat'), change)).rejects.toMatchObject({
      code: 'PRECONDITION_FAILED',
    });
    expect(await store.remove(shop('chat'), { within: ['shop'] })).toEqual(changed);
    await expect(store.get(shop('chat'))).rejects.toMatchObject({ code: 'NAMESPACE_NOT_FOUND' });
  });

  it('has always a shared default, which an application may have for itself', async () => {
    const store = createStore();
    expect(await store.get(shop('default'))).toMatchObject({ application: undefined });
    await expect(store.remove(shared('default'), { within: 'all' })).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
    });
    await store.create(shop('default'), { history: 1 }, ['shop']);
    expect(await store.get(shop('default'))).toMatchObject({ settings: { history: 1 } });
    expect(await store.get({ application: 'bank', name: 'default' })).toMatchObject({
      settings: {},
    });
    await store.update(shared('default'), { history: 2 }, { within: 'all' });
    expect(await store.get({ application: '', name: 'default' })).toMatchObject({
      settings: { history: 2 },
    });
  });

  it('hides the namespaces of other applications, and protects the shared ones', async () => {
    const store = createStore();
    await store.create({ application: 'bank', name: 'chat' }, {}, ['bank']);
    const hidden = { code: 'NAMESPACE_NOT_FOUND' };
    const key = { application: 'bank', name: 'chat' };
    await expect(store.update(key, {}, { within: ['shop'] })).rejects.toMatchObject(hidden);
    await expect(store.remove(key, { within: ['shop'], ifMatch: ['x'] })).rejects.toMatchObject(
      hidden,
    );
    await expect(store.get(shop('chat'))).rejects.toMatchObject(hidden);
    await expect(store.create(key, {}, ['shop'])).rejects.toMatchObject({
      code: 'APPLICATION_FORBIDDEN',
    });
    const scope = { code: 'APPLICATION_SCOPE_MISSING' };
    await expect(store.create(shared('all'), {}, ['shop'])).rejects.toMatchObject(scope);
    await expect(store.update(shared('default'), {}, { within: ['shop'] })).rejects.toMatchObject(
      scope,
    );
    // An application cannot change the shared namespace by its own key.
    await expect(store.update(shop('default'), {}, { within: ['shop'] })).rejects.toMatchObject(
      hidden,
    );
  });

  it('lists pages of own and shared namespaces', async () => {
    const store = createStore();
    for (const application of ['shop', 'bank', '']) {
      for (const name of ['b', 'a', 'default'])
        await store.create({ application, name }, {}, 'all');
    }
    await store.create(shared('a'), {}, 'all');
    const listAll = async (within: readonly string[] | 'all'): Promise<string[]> => {
      const found: NamespaceRecord[] = [];
      let cursor: string | undefined;
      do {
        const page = await store.list({ within, limit: 2, cursor });
        found.push(...page.items);
        cursor = page.next;
      } while (cursor !== undefined);
      return found.map(({ application = '*', name }) => `${application}/${name}`);
    };
    expect(await listAll(['shop'])).toEqual([
      '*/a',
      'shop/a',
      'shop/b',
      '*/default',
      'shop/default',
    ]);
    expect(await listAll([])).toEqual(['*/a', '*/default']);
    expect((await listAll('all')).toSorted()).toEqual(
      ['*', '', 'bank', 'shop']
        .flatMap((application) => ['a', 'b', 'default'].map((name) => `${application}/${name}`))
        .filter((each) => each !== '*/b')
        .toSorted(),
    );
    for (const cursor of ['x', 'WyJhIl0', Buffer.from('["a","\\u0000"]').toString('base64url')]) {
      await expect(store.list({ within: 'all', cursor })).rejects.toMatchObject({
        code: 'REQUEST_INVALID',
      });
    }
  });

  it('refuses names and settings that cannot be used, and names every fault', async () => {
    const store = createStore();
    for (const name of ['', '*', '-a', 'a-', 'a/b', 'x'.repeat(51), 'é', 'posthaste']) {
      await expect(store.create(shop(name), {}, 'all')).rejects.toMatchObject({
        code: 'REQUEST_INVALID',
        details: [{ field: 'name' }],
      });
    }
    const wrong = {
      durable: 'yes',
      history: -1,
      maxEventBytes: 1.5,
      publishAuthModes: [],
      subscribeAuthModes: ['PASSWORD'],
      schema: { pattern: '(a+)+$' },
      forwardTo: { topic: 'a' },
      handlers: {},
    } as unknown as NamespaceSettings;
    await expect(store.create(shop('chat'), wrong, 'all')).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
      details: Object.keys(wrong).map((field) => ({ field })),
    });
  });

  it('creates a namespace once, and 50 for each application, also at the same time', async () => {
    const store = createStore();
    const results = await Promise.allSettled(
      Array.from({ length: 56 }, (_, n) => store.create(shop(`n${n % 53}`), {}, 'all')),
    );
    const codes = results.map((result) =>
      result.status === 'fulfilled' ? 'made' : (result.reason as { code: string }).code,
    );
    expect(codes.filter((code) => code === 'made')).toHaveLength(50);
    expect(new Set(codes)).toEqual(
      new Set(['made', 'NAMESPACE_EXISTS', 'NAMESPACE_LIMIT_REACHED']),
    );
    await store.create({ application: 'bank', name: 'n0' }, {}, 'all');
  });

  it('shows changes of another process within a second, and keeps objects that did not change', async () => {
    const store = createStore();
    await store.create(shop('kept'), { durable: false }, 'all');
    let changes = 0;
    const onChange = () => {
      changes += 1;
    };
    const cache = new NamespaceCache(database(), { refreshMs: 50, onChange });
    onTestFinished(() => cache.close());
    expect(cache.find('shop', 'default')).toEqual({ name: 'default' });
    await cache.start();
    expect(changes).toBe(1);
    await cache.refresh();
    expect(changes).toBe(1);
    const kept = cache.find('shop', 'kept');
    expect(kept).toEqual({ name: 'kept', durable: false });
    expect(cache.find('bank', 'kept')).toBeUndefined();
    await store.create(shop('default'), { history: 3 }, 'all');
    await expect
      .poll(() => cache.find('shop', 'default'), { timeout: 10_000 })
      .toMatchObject({
        history: 3,
      });
    expect(cache.find('bank', 'default')).toEqual({ name: 'default' });
    expect(cache.find('shop', 'kept')).toBe(kept);
    await store.remove(shop('kept'), { within: 'all' });
    await expect.poll(() => cache.find('shop', 'kept'), { timeout: 10_000 }).toBeUndefined();
    await store.update(shop('default'), { history: 4 }, { within: 'all' });
    await cache.refresh();
    expect(cache.find('shop', 'default')).toMatchObject({ history: 4 });
    expect(changes).toBe(4);
  });

  it('keeps what it knows while the database cannot be read', async () => {
    const store = createStore();
    await store.create(shop('chat'), {}, 'all');
    let isDown = false;
    const errors: unknown[] = [];
    const query: ReturnType<typeof database>['query'] = (...args) =>
      isDown ? Promise.reject(new Error('down')) : database().query(...args);
    const options = { refreshMs: 10, onError: (error: unknown) => void errors.push(error) };
    const cache = new NamespaceCache({ query } as ReturnType<typeof database>, options);
    onTestFinished(() => cache.close());
    await cache.start();
    isDown = true;
    await expect.poll(() => errors.length, { timeout: 10_000 }).toBeGreaterThan(1);
    expect(cache.find('shop', 'chat')).toEqual({ name: 'chat' });
    await expect(cache.refresh()).rejects.toThrow('down');
    isDown = false;
    await store.remove(shop('chat'), { within: 'all' });
    await expect.poll(() => cache.find('shop', 'chat'), { timeout: 10_000 }).toBeUndefined();
  });

  it('removes the namespaces and members of an application, and no others', async () => {
    const store = createStore();
    for (const application of ['', 'a', 'b', 'c']) {
      for (const name of ['x', 'y']) await store.create({ application, name }, {}, 'all');
    }
    await database().query(
      `insert into realtime.member (application, channel, member, node_id, data)
        values ('b', '/x/1', 'm', $1, '{}'), ('c', '/x/1', 'm', $1, '{}')`,
      [randomUUID()],
    );
    const step = { position: undefined, limit: 10 };
    const progress = await database().transaction((tx) => removeRealtime(tx, 'b', step));
    expect(progress).toMatchObject({ done: true, erased: 3 });
    const { items } = await store.list({ within: 'all' });
    const left = items.map((namespace) => namespace.application ?? 'shared');
    expect(left).toEqual(['shared', '', 'a', 'c', '', 'a', 'c']);
    const { rows } = await database().query('select application from realtime.member');
    expect(rows).toEqual([{ application: 'c' }]);
  });

  it('has one epoch for ever', async () => {
    const epoch = await readEpoch(database());
    await migrate(database(), [realtimeMigrations]);
    expect(await readEpoch(database())).toBe(epoch);
    expect(epoch).toMatch(/^[0-9a-f-]{36}$/);
  });
}

describe('namespaces in the embedded database', () => suite('embedded'));
describeWithPostgres('namespaces in Postgres', () => {
  suite('postgres');

  it('are added to a database of the version before', async () => {
    const database = await createTestDatabase();
    const db = await openPostgres({ url: database.url });
    onTestFinished(async () => {
      await db.close();
      await database.drop();
    });
    await migrate(db, [
      { owner: 'other', migrations: [{ version: 1, name: 'x', sql: 'select 1' }] },
    ]);
    await Promise.all([migrate(db, [realtimeMigrations]), migrate(db, [realtimeMigrations])]);
    expect(await new NamespaceStore(db).get(shared('default'))).toMatchObject({ settings: {} });
  });
});
