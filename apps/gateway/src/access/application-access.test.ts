import { Type } from 'typebox';
import { describe, expect, it } from 'vitest';
import { type Call, createCaller } from '../../test/caller.js';
import { type TestKey, testKeys, testServer } from '../../test/test-server.js';
import type { App } from '../app.js';
import type { ApplicationStates } from './application-access.js';
import type { ApplicationSource } from './application-source.js';

const composed = 'caf\u00e9';
const decomposed = 'cafe\u0301';

const admin = (name: string, applications?: readonly string[]): TestKey => ({
  id: name,
  name,
  scopes: ['admin'],
  ...(applications && { applications }),
});

const keys = testKeys({
  all: admin('all'),
  shop: admin('shop', ['shop']),
  several: admin('several', ['shop', 'bank']),
  none: admin('none', []),
  empty: admin('empty', ['']),
  accent: admin('accent', [composed]),
  proto: admin('proto', ['__proto__']),
});

const optionalApplication = Type.Object({ application: Type.Optional(Type.String()) });

/** A route per source, which answers what the check has found. */
function sourceRoutes(app: App): void {
  const config = (application: ApplicationSource) =>
    ({ scope: 'admin', application, audit: 'none' }) as const;
  for (const source of ['filter', 'owner', 'caller', 'all'] as const) {
    app.get(`/${source}`, { config: config(source) }, ({ applications }) => ({ applications }));
  }
  app.get('/named', { config: config('named') }, ({ application }) => ({ application }));
  app.post('/named', { config: config('named') }, ({ application, applications }) => ({
    application,
    applications,
  }));
  app.get(
    '/checked',
    { config: config('named'), schema: { querystring: optionalApplication } },
    ({ application }) => ({ application }),
  );
  app.post<{ Body: { names: (string | null)[] } }>(
    '/items',
    { config: config('items') },
    (request) => ({
      applications: request.body.names.map((name) => request.applicationFor(name ?? undefined)),
    }),
  );
  app.get('/wrong', { config: config('owner') }, ({ application }) => ({ application }));
}

async function open(
  environment: Record<string, string> = {},
  states?: Partial<ApplicationStates>,
): Promise<(token?: string) => Call> {
  const { app } = await testServer(environment, {
    keys,
    routes: [sourceRoutes],
    ...(states && {
      states: {
        isReady: true,
        start: async () => undefined,
        isDeleting: () => false,
        isRegistered: () => true,
        register: async () => undefined,
        ...states,
      },
    }),
  });
  return (token) => createCaller(app, token ? { authorization: `Bearer ${token}` } : {});
}

const forbidden = { status: 403, json: { code: 'APPLICATION_FORBIDDEN' } };
const requiredName = { status: 422, json: { code: 'APPLICATION_REQUIRED' } };

describe('the applications of a request', () => {
  it('that names none are those of the caller', async () => {
    const as = await open();
    const seen = async (path: string, token?: string) => (await as(token)('GET', path)).json;
    for (const path of ['/filter', '/owner', '/caller']) {
      expect(await seen(path, 'shop')).toEqual({ applications: ['shop'] });
      expect(await seen(path, 'several')).toEqual({ applications: ['shop', 'bank'] });
      expect(await seen(path, 'none')).toEqual({ applications: [] });
      expect(await seen(path, 'all')).toEqual({ applications: 'all' });
      expect(await seen(path)).toEqual({ applications: 'all' });
    }
    expect(await seen('/named', 'shop')).toEqual({ application: 'shop' });
    expect(await seen('/named', 'empty')).toEqual({ application: '' });
  });

  it('must be named by a caller that has several', async () => {
    const as = await open();
    expect(await as('several')('GET', '/named')).toMatchObject(requiredName);
    expect(await as('several')('POST', '/items', { names: [null] })).toMatchObject(requiredName);
    expect((await as('several')('GET', '/named?application=bank')).json).toEqual({
      application: 'bank',
    });
    expect(await as('none')('GET', '/named')).toMatchObject(forbidden);
  });

  it.each([undefined, 'all'])(
    'that names none, of the caller "%s", is POSTHASTE_DEFAULT_APPLICATION',
    async (token) => {
      for (const [environment, application] of [
        [{}, ''],
        [{ POSTHASTE_DEFAULT_APPLICATION: 'main' }, 'main'],
      ] as const) {
        const as = await open(environment);
        expect((await as(token)('GET', '/named')).json).toEqual({ application });
        expect((await as(token)('POST', '/items', { names: [null, 'x'] })).json).toEqual({
          applications: [application, 'x'],
        });
        expect((await as(token)('GET', '/filter')).json).toEqual({ applications: 'all' });
      }
    },
  );

  it('are never those of another: whatever the spelling', async () => {
    const as = await open();
    const attempts: [string, string][] = [
      ['shop', 'bank'],
      ['shop', 'Shop'],
      ['shop', 'shop '],
      ['shop', ' shop'],
      ['shop', 'shop\u200b'],
      ['shop', 's\u04bbop'],
      ['shop', 'shop%00'],
      ['shop', 'sho%70%2570'],
      ['shop', '%2573hop'],
      ['shop', ''],
      ['shop', '__proto__'],
      ['shop', 'constructor'],
      ['shop', 'length'],
      ['shop', '0'],
      ['proto', 'shop'],
      ['empty', 'undefined'],
      ['empty', 'null'],
      ['accent', decomposed],
      ['several', 'shop,bank'],
      ['none', 'shop'],
    ];
    for (const [token, name] of attempts) {
      const query = name.includes('%') ? name : encodeURIComponent(name);
      for (const path of ['/filter', '/named']) {
        const answer = await as(token)('GET', `${path}?application=${query}`);
        expect(answer, `${token} ${path} ${name}`).toMatchObject(forbidden);
      }
      expect(await as(token)('POST', '/named', { application: name })).toMatchObject(forbidden);
      expect(await as(token)('POST', '/items', { names: [name] })).toMatchObject(forbidden);
    }
    const own = encodeURIComponent(composed);
    expect((await as('accent')('GET', `/named?application=${own}`)).status).toBe(200);
    expect((await as('proto')('GET', '/named?application=__proto__')).status).toBe(200);
  });

  it('may be named once: not twice, and not differently in query and body', async () => {
    const as = await open();
    const invalid = { status: 422, json: { code: 'REQUEST_INVALID' } };
    for (const token of ['all', 'shop', 'several']) {
      for (const query of [
        'application=shop&application=bank',
        'application=shop&application=shop',
        'application=shop&applic%61tion=bank',
      ]) {
        const answer = await as(token)('GET', `/checked?${query}`);
        expect(answer, query).toMatchObject(invalid);
        expect(await as(token)('GET', `/named?${query}`), query).toMatchObject(invalid);
        expect(await as(token)('POST', `/named?${query}`, {}), query).toMatchObject(invalid);
        expect(await as(token)('GET', `/filter?${query}`), query).toMatchObject(invalid);
      }
      const both = (body: object) => as(token)('POST', '/named?application=shop', body);
      expect(await both({ application: 'bank' })).toMatchObject(invalid);
      expect(await both({ application: ['shop'] })).toMatchObject(invalid);
      expect(await both({ application: null })).toMatchObject(invalid);
      expect((await both({ application: 'shop' })).json).toEqual({
        application: 'shop',
        applications: ['shop'],
      });
    }
  });

  it('are not taken from a prototype', async () => {
    const as = await open();
    const body = '{"__proto__":{"application":"bank"}}';
    const answer = await as('shop')('POST', '/named', body);
    if (answer.status === 200) expect(answer.json).toMatchObject({ application: 'shop' });
    else expect(answer.status).toBe(422);
  });

  it('are checked for HEAD too, and there is no such route with a slash at the end', async () => {
    const as = await open();
    expect((await as('shop')('HEAD', '/named?application=bank')).status).toBe(403);
    expect((await as('shop')('HEAD', '/all')).status).toBe(403);
    for (const path of ['/named/', '//named', '/NAMED', '/named%2F', '/named;x']) {
      expect((await as('shop')('GET', `${path}?application=bank`)).status, path).toBe(404);
    }
  });

  it('are all, or the route is refused', async () => {
    const as = await open();
    expect((await as('all')('GET', '/all')).json).toEqual({ applications: 'all' });
    for (const token of ['shop', 'several', 'none']) {
      expect(await as(token)('GET', '/all')).toMatchObject({
        status: 403,
        json: { code: 'APPLICATION_SCOPE_MISSING' },
      });
    }
  });

  it('cannot be read by a handler whose route does not set them', async () => {
    expect((await (await open())('all')('GET', '/wrong')).status).toBe(500);
  });
});

describe('a new application', () => {
  it('is registered before the answer, if the caller is for all and the request succeeds', async () => {
    const registered: string[] = [];
    const as = await open(
      {},
      {
        isRegistered: (name) => name === 'known',
        register: async (names) => void registered.push(...names),
      },
    );
    await as('all')('POST', '/named', { application: 'new' });
    await as()('POST', '/named', {});
    await as('all')('POST', '/items', { names: ['known', 'item', null] });
    await as('shop')('POST', '/named', {});
    await as('all')('GET', '/named?application=read');
    await as('all')('POST', '/named?application=a&application=b', {});
    await as('all')('POST', '/items', { names: 'failed' });
    expect(registered).toEqual(['new', '', 'item', '']);
  });
});

describe('an application that is being deleted', () => {
  it('is refused to those who name it and to those who have nothing else', async () => {
    const as = await open({}, { isDeleting: (name) => name === 'shop' });
    const deleting = { status: 409, json: { code: 'APPLICATION_DELETING' } };
    for (const answer of [
      await as('all')('GET', '/filter?application=shop'),
      await as('several')('POST', '/named', { application: 'shop' }),
      await as('all')('POST', '/items', { names: ['bank', 'shop'] }),
      await as('shop')('GET', '/filter'),
      await as('shop')('GET', '/owner'),
    ]) {
      expect(answer).toMatchObject(deleting);
    }
    expect(await as('several')('GET', '/owner')).toMatchObject({ status: 200 });
    expect(await as('none')('GET', '/named?application=shop')).toMatchObject(forbidden);
  });

  it('is known before the first request is answered', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const states = { isReady: false };
    const as = await open(
      {},
      {
        get isReady() {
          return states.isReady;
        },
        start: () => promise,
        isDeleting: () => states.isReady,
      },
    );
    const answer = as('shop')('GET', '/filter');
    setTimeout(() => {
      states.isReady = true;
      resolve();
    }, 20);
    expect((await answer).json).toMatchObject({ code: 'APPLICATION_DELETING' });
  });
});
