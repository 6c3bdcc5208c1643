import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { describe, expect, it } from 'vitest';
import { type Engine, useDatabase } from '../../test/access-database.js';
import { ApplicationRegistry } from './application-registry.js';

const noLimits = {
  requestsPerSecond: null,
  deliveriesPerSecond: null,
  eventsPerSecond: null,
  backlog: null,
  endpoints: null,
  storedBytes: null,
};

function suite(engine: Engine): void {
  const store = useDatabase(engine);
  const registry = () => new ApplicationRegistry(store.db);

  it('creates an application once', async () => {
    const created = await registry().create('shop');
    expect(created).toMatchObject({
      name: 'shop',
      state: 'active',
      limits: noLimits,
      retentionMs: null,
    });
    expect(await registry().get('shop')).toEqual(created);
    await expect(registry().create('shop')).rejects.toMatchObject({ code: 'APPLICATION_EXISTS' });
  });

  it('says of a name that is being removed that it is not free yet', async () => {
    await registry().create('leaving');
    await store.db.query(
      `update gateway.application set state = 'deleting' where name = 'leaving'`,
    );
    await expect(registry().create('leaving')).rejects.toMatchObject({
      code: 'APPLICATION_DELETING',
    });
  });

  it('keeps names as they are: nothing is trimmed, folded or normalised', async () => {
    const names = [
      '',
      ' ',
      'Shop',
      'a/b',
      '..',
      '__proto__',
      'caf\u00e9',
      'cafe\u0301',
      '%2F',
      "';--",
    ];
    for (const name of names) await registry().create(name, { limits: { backlog: 7 } });
    for (const name of names) {
      expect(await registry().get(name)).toMatchObject({ name, limits: { backlog: 7 } });
    }
    await expect(registry().get('SHOP')).rejects.toMatchObject({ code: 'APPLICATION_NOT_FOUND' });
  });

  it('changes only what a change names, also of changes at the same time', async () => {
    await registry().create('changed', {
      limits: { backlog: 5, endpoints: 2 },
      retentionMs: 60_000,
    });
    await Promise.all([
      registry().change('changed', { limits: { requestsPerSecond: 10 } }),
      registry().change('changed', { limits: { storedBytes: 2 ** 40 } }),
      registry().change('changed', { limits: { endpoints: null } }),
    ]);
    expect(await registry().get('changed')).toMatchObject({
      limits: { ...noLimits, backlog: 5, requestsPerSecond: 10, storedBytes: 2 ** 40 },
      retentionMs: 60_000,
    });
    const changed = await registry().change('changed', { retentionMs: null });
    expect(changed).toMatchObject({ retentionMs: null, limits: { backlog: 5 } });
  });

  it('changes neither an unknown application nor one that is being deleted', async () => {
    await registry().create('going');
    await store.db.query(`update gateway.application set state = 'deleting' where name = 'going'`);
    const change = (name: string) => registry().change(name, { retentionMs: 1 });
    await expect(change('going')).rejects.toMatchObject({ code: 'APPLICATION_DELETING' });
    await expect(change('unknown')).rejects.toMatchObject({ code: 'APPLICATION_NOT_FOUND' });
  });

  it('lists the applications of somebody, page by page', async () => {
    const within = ['l1', 'l2', 'l3', 'unknown'];
    for (const name of ['l3', 'l1', 'l2', 'l4']) await registry().create(name);
    const first = await registry().list(within, { limit: 2 });
    const second = await registry().list(within, { limit: 2, after: first.at(-1)?.name });
    expect([...first, ...second].map(({ name }) => name)).toEqual(['l1', 'l2', 'l3']);
    const all = await registry().list('all', { limit: 1_000 });
    expect(all.map(({ name }) => name)).toContain('l4');
  });
}

describe('applications on the embedded database', () => suite('embedded'));
describeWithPostgres('applications on Postgres', () => suite('postgres'));
