import { ApiKeys, accessMigrations } from '@posthaste/access';
import { callbacksMigrations } from '@posthaste/callbacks';
import { type Database, migrate, openPostgres } from '@posthaste/postgres';
import { createTestDatabase } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { testServer } from '../../test/test-server.js';
import type { App } from '../app.js';
import { createErasureRoutes } from '../erasure-routes.js';

describeWithPostgres('erasures', () => {
  let db: Database;
  let app: App;
  let keys: ApiKeys;
  let close: () => Promise<void>;
  let [all, shop, both] = ['', '', ''];

  beforeAll(async () => {
    const database = await createTestDatabase();
    db = await openPostgres({ url: database.url, maxConnections: 8 });
    await migrate(db, [accessMigrations, callbacksMigrations]);
    keys = new ApiKeys(db);
    const create = async (applications: 'all' | string[]): Promise<string> =>
      (await keys.createKey({ name: 'the admin', scopes: ['admin'], applications })).token;
    [all, shop, both] = [
      await create('all'),
      await create(['shop']),
      await create(['shop', 'game']),
    ];
    ({ app } = await testServer(
      { POSTHASTE_ACCESS: 'keys' },
      { keys, routes: createErasureRoutes(db) },
    ));
    close = async () => {
      await app.close();
      await keys.close();
      await db.close();
      await database.drop();
    };
  });
  beforeEach(async () => {
    await db.query(`truncate gateway.erasure, gateway.application, callbacks.stopped_application`);
  });
  afterAll(() => close());

  const send = (
    token: string,
    method: 'POST' | 'GET' | 'DELETE',
    [url, payload]: [string, object?],
  ) =>
    app.inject({
      method,
      url,
      headers: { authorization: `Bearer ${token}` },
      ...(payload && { payload }),
    });
  const call = (token: string, method: 'GET' | 'DELETE', url: string) => send(token, method, [url]);
  const erase = (token: string, payload: object) => send(token, 'POST', ['/v1/erasures', payload]);

  it('creates an erasure whose record has no identifier', async () => {
    const body = {
      application: 'shop',
      pointer: '/customer/email',
      value: 'ada@example.com',
      key: 'k1',
    };
    const answer = await erase(all, body);
    expect(answer.statusCode).toBe(202);
    const view = answer.json();
    expect(answer.headers.location).toBe(`/v1/erasures/${view.id}`);
    expect(view).toMatchObject({
      kind: 'payloads',
      applications: ['shop'],
      pointer: '/customer/email',
      valueHash: expect.stringMatching(/^[0-9a-f]{64}$/),
      undelivered: 'cancel',
      state: 'running',
      requestedBy: 'the admin',
    });
    expect(answer.body).not.toMatch(/ada|k1/);
    expect((await call(shop, 'GET', `/v1/erasures/${view.id}`)).json()).toEqual(view);
  });

  it('covers what the caller may see, and shows others nothing of it', async () => {
    expect((await erase(both, { key: 'k' })).json().applications).toEqual(['shop', 'game']);
    expect((await erase(all, { key: 'k' })).json().applications).toBeNull();
    const own = (await erase(shop, { key: 'k' })).json();
    expect(own.applications).toEqual(['shop']);
    expect((await erase(shop, { application: 'game' })).json().code).toBe('APPLICATION_FORBIDDEN');
    expect((await call(shop, 'GET', '/v1/erasures')).json()).toMatchObject({
      items: [{ id: own.id }],
      next: null,
    });
    const first = (await call(all, 'GET', '/v1/erasures?limit=2')).json();
    expect(first.items).toHaveLength(2);
    const second = (await call(all, 'GET', `/v1/erasures?limit=2&cursor=${first.next}`)).json();
    expect(second.items).toHaveLength(1);
    const foreign = await call(shop, 'GET', `/v1/erasures/${first.items[1].id}`);
    expect(foreign.json()).toMatchObject({ code: 'ERASURE_NOT_FOUND' });
  });

  it.each([
    [{}, 'body'],
    [{ undelivered: 'keep' }, 'body'],
    [{ pointer: '/a' }, 'value'],
    [{ value: 1 }, 'pointer'],
    [{ pointer: 'a', value: 1 }, 'pointer'],
    [{ pointer: '/a', value: 2 ** 60 }, 'value'],
    [{ pointer: '/a', value: [1] }, 'value'],
    [{ endpointId: 'x' }, 'endpointId'],
    [{ key: 'k', undelivered: 'drop' }, 'undelivered'],
    [{ key: 'k', more: 1 }, 'more'],
  ])('refuses %j', async (body, field) => {
    const answer = await erase(all, body);
    expect(answer.statusCode).toBe(422);
    expect(answer.json().details).toContainEqual(expect.objectContaining({ field }));
  });

  it.each(['shop', ''])(
    'deletes the application %j once, and stops its deliveries',
    async (name) => {
      await db.query('insert into gateway.application (name) values ($1)', [name]);
      const url = `/v1/applications?application=${name}`;
      const answers = await Promise.all([call(all, 'DELETE', url), call(all, 'DELETE', url)]);
      expect(answers.map(({ statusCode }) => statusCode)).toEqual([202, 202]);
      const [one, two] = answers.map((answer) => answer.json());
      expect(one).toMatchObject({ kind: 'application', applications: [name], state: 'running' });
      expect(two.id).toBe(one.id);
      const { rows } = await db.query('select application from callbacks.stopped_application');
      expect(rows).toEqual([{ application: name }]);
    },
  );

  it('deletes nothing that does not exist, is not named, or for callers of one application', async () => {
    await db.query(`insert into gateway.application (name) values ('shop')`);
    const url = '/v1/applications?application=';
    expect((await call(all, 'DELETE', `${url}nobody`)).json().code).toBe('APPLICATION_NOT_FOUND');
    expect((await call(all, 'DELETE', '/v1/applications')).json().code).toBe('REQUEST_INVALID');
    const bound = await call(both, 'DELETE', `${url}shop`);
    expect(bound.json().code).toBe('APPLICATION_SCOPE_MISSING');
    expect((await db.query('select from callbacks.stopped_application')).rowCount).toBe(0);
  });

  it('revokes the keys of the application', async () => {
    await db.query(`insert into gateway.application (name) values ('mine')`);
    const { token } = await keys.createKey({
      name: 'x',
      scopes: ['admin'],
      applications: ['mine'],
    });
    await call(all, 'DELETE', '/v1/applications?application=mine');
    expect((await call(token, 'GET', '/v1/erasures')).statusCode).toBe(401);
  });
});
