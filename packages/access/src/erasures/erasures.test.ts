import { type ErasureSelection, newId } from '@posthaste/contracts';
import { type Database, migrate, openEmbedded, openPostgres } from '@posthaste/postgres';
import { createTestDatabase } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ApiKeys } from '../keys/api-keys.js';
import { accessMigrations } from '../migrations.js';
import { Sessions } from '../people/sessions.js';
import type { Grant } from '../roles.js';
import { ShortLivedTokens } from '../tokens/short-lived-tokens.js';
import { registryStage, settleStage, startRemoval } from './application-removal.js';
import { digestOf } from './erasure.js';
import { ErasureRunner, type ErasureStage, type ErasureStages } from './erasure-runner.js';
import { findRemovals, getErasure, insertErasure, listErasures } from './erasure-store.js';

/** Deletes the rows of a table of the test, a few at a step. */
const itemsStage: ErasureStage = {
  name: 'items',
  async run(tx, { selection }, { limit }) {
    const { rowCount } = await tx.query(
      `delete from item where id in (
         select id from item where $1::text[] is null or application = any($1) order by id limit $2)`,
      [selection.applications === 'all' ? null : selection.applications, limit],
    );
    return { position: undefined, done: rowCount < limit, scanned: rowCount, erased: rowCount };
  },
};

/** Fails as long as there is a row in the table `fault`. */
const failingStage: ErasureStage = {
  name: 'failing',
  async run(tx) {
    const { rowCount } = await tx.query('select from fault');
    if (rowCount > 0) throw new Error('the stage broke');
    return { position: undefined, done: true, scanned: 0, erased: 0 };
  },
};

const stages: ErasureStages = {
  application: [itemsStage, registryStage],
  payloads: [itemsStage, failingStage],
};

const ofApplication = (
  application: string,
  more: Partial<ErasureSelection> = {},
): ErasureSelection => ({
  applications: [application],
  undelivered: 'cancel',
  ...more,
});

function erasuresOn(open: () => Promise<{ db: Database; drop: () => Promise<void> }>): void {
  let db: Database;
  let drop: () => Promise<void>;

  beforeAll(async () => {
    ({ db, drop } = await open());
    await migrate(db, [accessMigrations]);
    await db.query(`create table item (id integer generated always as identity, application text);
      create table fault ()`);
  });
  beforeEach(async () => {
    await db.query(`truncate item, fault, gateway.erasure, gateway.application;
      insert into item (application) select a from unnest(array['a', 'b', '']) a, generate_series(1, 10)`);
  });
  afterAll(async () => {
    await db.close();
    await drop();
  });

  const runner = (): ErasureRunner =>
    new ErasureRunner(db, stages, { stepRows: 4, pauseFactor: 0 });
  const register = (name: string) =>
    db.query('insert into gateway.application (name) values ($1)', [name]);
  const remove = (name: string) =>
    db.transaction((tx) => startRemoval(tx, { name, requestedBy: 'test' }));
  const items = async (): Promise<unknown[]> =>
    (await db.query(`select application, count(*)::int as n from item group by 1 order by 1`)).rows;

  it.each(['a', ''])(
    'removes the application %j step by step, and frees its name',
    async (name) => {
      await register(name);
      const erasure = await remove(name);
      expect(erasure).toMatchObject({ kind: 'application', applications: [name], stage: 'queued' });
      expect((await findRemovals(db, [name])).get(name)?.id).toBe(erasure?.id);
      const steps = runner();
      expect(await steps.step()).toBe(true);
      expect(await getErasure(db, erasure?.id ?? '', 'all')).toMatchObject({
        state: 'running',
        stage: 'items',
        erased: 4,
      });
      expect(await remove(name)).toBeUndefined();
      while (await steps.step());
      expect(await getErasure(db, erasure?.id ?? '', 'all')).toMatchObject({
        state: 'done',
        stage: 'done',
        erased: 11,
        endedAt: expect.any(Date),
      });
      expect(await items()).toHaveLength(2);
      expect((await findRemovals(db, [name])).size).toBe(0);
      await register(name);
      expect(await remove(name)).toMatchObject({ kind: 'application' });
    },
  );

  it('refuses to remove what does not exist', async () => {
    await expect(remove('nobody')).rejects.toMatchObject({ code: 'APPLICATION_NOT_FOUND' });
  });

  it('revokes keys of only this application, and takes it from keys of several', async () => {
    const keys = new ApiKeys(db);
    const scopes = ['admin'] as const;
    const own = await keys.createKey({ name: 'own', scopes, applications: ['a'] });
    const several = await keys.createKey({ name: 'several', scopes, applications: ['a', 'b'] });
    const other = await keys.createKey({ name: 'other', scopes, applications: ['b'] });
    const all = await keys.createKey({ name: 'all', scopes });
    await register('a');
    await remove('a');
    const states = new Map((await keys.listKeys('all')).map((key) => [key.id, key]));
    expect(states.get(own.key.id)).toMatchObject({
      revokedAt: expect.any(Date),
      applications: ['a'],
    });
    expect(states.get(several.key.id)).toMatchObject({ revokedAt: null, applications: ['b'] });
    expect(states.get(other.key.id)).toMatchObject({ revokedAt: null, applications: ['b'] });
    expect(states.get(all.key.id)).toMatchObject({ revokedAt: null, applications: null });
    await keys.close();
  });

  it('ends sessions of only this application, and takes it from those with several', async () => {
    const sessions = new Sessions(db, {
      ...{ cookieName: 'session', lengthMs: 3_600_000, idleTimeoutMs: 600_000 },
    });
    const create = async (...grants: readonly Grant[]): Promise<string> => {
      const identity = { issuer: 'i', subject: 's', name: 'Anna', email: null, roles: [] };
      const made = await sessions.createForPerson(identity, { grants, signInId: newId() });
      return made.session.id;
    };
    const admin = { role: 'admin', applications: ['a'] } as const;
    const viewer = { role: 'viewer', applications: ['b'] } as const;
    const ids = [
      await create(admin, { ...viewer, applications: ['a'] }),
      await create(admin, viewer),
      await create({ ...admin, applications: ['a', 'b'] }),
      await create(admin, { ...viewer, applications: 'all' }),
      await create(viewer),
    ];
    await register('a');
    await remove('a');
    const found = await Promise.all(ids.map((id) => sessions.find(id)));
    expect(found.map((session) => session?.revokedAt === null && session.grants)).toEqual([
      false,
      [viewer],
      [{ ...admin, applications: ['b'] }],
      [{ ...viewer, applications: 'all' }],
      [viewer],
    ]);
    // A session that has ended still says what it was for.
    expect(found[0]?.grants).toHaveLength(2);
    sessions.close();
  });

  it('takes the application from tokens made before, and not from those made after', async () => {
    const keys = new ApiKeys(db);
    const sessions = { findRights: async () => new Map() };
    const options = { secretKey: Buffer.alloc(32, 1), sessions, acceptsLocal: false, checkMs: 5 };
    const tokens = new ShortLivedTokens(db, options);
    const { token } = await keys.createKey({ name: 'all', scopes: ['admin'] });
    const maker = await keys.authenticate(token);
    const create = (...applications: readonly string[]): string => {
      const scopes = ['callbacks:read'] as const;
      return tokens.create(maker, { name: 't', applications, scopes, expiresInSeconds: 60 }).token;
    };
    const [own, both] = [create('a'), create('a', 'b')];
    for (const each of [own, both]) await tokens.authenticate(each);
    await register('a');
    await remove('a');
    const refused = { code: 'TOKEN_INVALID' };
    await expect.poll(() => tokens.findCached(own)).toBeUndefined();
    await expect(tokens.authenticate(own)).rejects.toMatchObject(refused);
    await expect.poll(() => tokens.findCached(both)).toBeUndefined();
    expect((await tokens.authenticate(both)).applications).toEqual(['b']);
    while (await runner().step());
    await register('a');
    await expect(tokens.authenticate(own)).rejects.toMatchObject(refused);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect((await tokens.authenticate(create('a'))).applications).toEqual(['a']);
    tokens.close();
    await keys.close();
  });

  it('keeps a record without the identifier and the key in clear', async () => {
    const identifier = { pointer: '/mail', value: 'person@example.com' };
    const created = await insertErasure(db, {
      kind: 'payloads',
      selection: ofApplication('a', { identifier, key: 'person-7' }),
      requestedBy: 'test',
    });
    const id = created?.id ?? '';
    while (await runner().step());
    const done = await getErasure(db, id, ['a', 'z']);
    expect(done).toMatchObject({
      state: 'done',
      erased: 10,
      target: {
        pointer: '/mail',
        valueHash: digestOf(id, 'person@example.com'),
        keyHash: digestOf(id, 'person-7'),
      },
    });
    const { rows } = await db.query<{ row: string }>(
      'select to_json(e)::text as row from gateway.erasure e',
    );
    expect(rows[0]?.row).not.toMatch(/person/);
  });

  it('shows erasures only to those who may see all of their applications', async () => {
    const insert = async (selection: ErasureSelection): Promise<string> =>
      (await insertErasure(db, { kind: 'payloads', selection, requestedBy: 'x' }))?.id ?? '';
    const own = await insert(ofApplication('a'));
    const both = await insert({ applications: ['a', 'b'], undelivered: 'keep' });
    const all = await insert({ applications: 'all', undelivered: 'keep' });
    const ids = async (within: 'all' | string[]) =>
      (await listErasures(db, { within, limit: 10 })).map(({ id }) => id);
    expect(await ids(['a'])).toEqual([own]);
    expect(await ids(['a', 'b'])).toEqual([both, own]);
    expect(await ids('all')).toEqual([all, both, own]);
    expect(await listErasures(db, { within: 'all', before: all, limit: 1 })).toMatchObject([
      { id: both },
    ]);
    for (const id of [both, 'no id']) {
      await expect(getErasure(db, id, ['a'])).rejects.toMatchObject({ code: 'ERASURE_NOT_FOUND' });
    }
  });

  it('rolls a failed step back, lets others have their turn, and tries again', async () => {
    await db.query('insert into fault default values');
    const broken = await insertErasure(db, {
      kind: 'payloads',
      selection: ofApplication('a'),
      requestedBy: 'x',
    });
    const id = broken?.id ?? '';
    const steps = runner();
    while ((await getErasure(db, id, 'all')).stage !== 'failing') await steps.step();
    await expect(steps.step()).rejects.toThrow('the stage broke');
    expect(await getErasure(db, id, 'all')).toMatchObject({
      state: 'running',
      error: 'the stage broke',
    });
    await register('b');
    await remove('b');
    while (await steps.step());
    expect(await items()).toEqual([{ application: '', n: 10 }]);
    await db.query(`delete from fault; update gateway.erasure set due_at = now()`);
    while (await steps.step());
    expect(await getErasure(db, id, 'all')).toMatchObject({ state: 'done', error: null });
  });

  it('takes turns, so that a long erasure delays no short one', async () => {
    for (const application of ['a', 'b']) {
      await insertErasure(db, {
        kind: 'payloads',
        selection: ofApplication(application),
        requestedBy: 'x',
      });
    }
    const steps = runner();
    for (let n = 0; n < 4; n += 1) await steps.step();
    expect(await items()).toEqual([
      { application: '', n: 10 },
      { application: 'a', n: 2 },
      { application: 'b', n: 2 },
    ]);
  });

  it('waits in the stage settle until other processes know of the removal', async () => {
    const run = (ageMs: number) =>
      db.transaction((tx) =>
        settleStage.run(
          tx,
          { selection: ofApplication('a'), ageMs },
          { position: undefined, limit: 1 },
        ),
      );
    expect(await run(1_000)).toMatchObject({ done: false, waitMs: 14_000 });
    expect(await run(15_000)).toMatchObject({ done: true });
  });
}

describeWithPostgres('erasures on postgres', () => {
  erasuresOn(async () => {
    const { url, drop } = await createTestDatabase();
    return { db: await openPostgres({ url, maxConnections: 4 }), drop };
  });
});

describe('erasures on the embedded database', () => {
  erasuresOn(async () => ({ db: await openEmbedded({}), drop: async () => undefined }));
});
