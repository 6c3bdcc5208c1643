import { AsyncLocalStorage } from 'node:async_hooks';
import { type Scope, scopes } from '@posthaste/access';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { accessCases } from '../../test/access-table/access-cases.js';
import { callbackCases } from '../../test/access-table/callback-cases.js';
import { endpointCases } from '../../test/access-table/endpoint-cases.js';
import { eventCases } from '../../test/access-table/event-cases.js';
import { realtimeCases } from '../../test/access-table/realtime-cases.js';
import {
  type RouteCase,
  type RouteCases,
  type Sent,
  World,
} from '../../test/access-table/world.js';
import type { Answer, Call } from '../../test/caller.js';
import { follow } from '../../test/follower.js';
import {
  createPlatformDatabase,
  openTestPlatform,
  type TestPlatform,
} from '../../test/test-platform.js';
import type { RouteAccess } from '../app.js';
import { listRoutes } from '../openapi/openapi-document.js';

/*
 * The table test: every route × every kind of caller. The routes come from the server: one that is
 * added without a case in test/access-table fails the first test.
 */

const cases: RouteCases = {
  ...{ ...accessCases, ...callbackCases, ...endpointCases, ...eventCases, ...realtimeCases },
};

/** Application whose things are asked for, one that must see none of them, and one more. */
const own = 'tenant-own';
const foreign = 'tenant-foreign';
const other = 'tenant-other';

const unknownId = '01890000-0000-7000-8000-000000000000';

type Problem = { readonly code?: string; readonly instance?: string };
type Method = Parameters<Call>[0];

const table = await listRoutes();
const nameOf = ({ method, url }: RouteAccess): string => `${method} ${url}`;
/** HEAD is the same route as GET, whose case it has. */
const caseOf = (route: RouteAccess): RouteCase | undefined =>
  cases[nameOf({ ...route, method: route.method === 'HEAD' ? 'GET' : route.method })];
const guarded = table.filter(({ scope }) => scope !== 'public');
const withCase = guarded.filter((route) => caseOf(route));
const publicRoutes = table.filter(({ scope }) => scope === 'public');
const lists = withCase.filter(
  ({ application, method }) =>
    (application === 'filter' || application === 'caller') && method === 'GET',
);
const from = (...sources: string[]) =>
  withCase.filter(({ application, method }) => sources.includes(application) && method !== 'HEAD');

it('has a case for every route, and no case without a route', () => {
  const known = new Set(table.map(nameOf));
  const missing = guarded.filter((route) => !caseOf(route)).map(nameOf);
  expect(
    missing,
    'add a case for each of these routes to the files in apps/gateway/test/access-table',
  ).toEqual([]);
  expect(Object.keys(cases).filter((name) => !known.has(name))).toEqual([]);
});

describeWithPostgres('access to', () => {
  let database: Awaited<ReturnType<typeof createPlatformDatabase>>;
  let platform: TestPlatform;
  let world: World;
  let tokens: Record<'own' | 'foreign' | 'several' | 'all' | 'expired' | 'revoked', string>;
  const statements = new AsyncLocalStorage<string[]>();

  beforeAll(async () => {
    database = await createPlatformDatabase();
    platform = await openTestPlatform(database, {
      POSTHASTE_RATE_LIMIT: '0',
      POSTHASTE_READ_RATE_LIMIT: '0',
      POSTHASTE_FAULT_RATE_LIMIT: '0',
      POSTHASTE_RATE_LIMIT_WITHOUT_KEY: '0',
    });
    const all = await platform.createKey();
    world = new World(platform, platform.as(all));
    for (const application of [own, foreign, other]) {
      await world.call('POST', '/v1/applications', { application });
    }
    const of = (applications: string[], more: object = {}) =>
      platform.createKey({ applications, ...more });
    tokens = {
      own: await of([own]),
      foreign: await of([foreign]),
      several: await of([own, other]),
      all,
      expired: await of([own], { expiresAt: new Date(Date.now() - 1_000) }),
      revoked: await of([own]),
    };
    const { id } = await platform.keys.authenticate(tokens.revoked);
    await platform.keys.revokeKey(id, 'all');
    recordStatements();
  });
  afterAll(async () => {
    await world.log.close();
    await platform.close();
    await database.drop();
  });

  /** Records the statements of each request of which `statementsOf` is asked. */
  function recordStatements(): void {
    const { db } = platform;
    const query = db.query.bind(db);
    const transaction = db.transaction.bind(db);
    Object.assign(db, {
      transaction: (...args: Parameters<typeof transaction>) => {
        statements.getStore()?.push('begin');
        return transaction(...args);
      },
      query: (...[statement, values]: Parameters<typeof query>) => {
        const text = typeof statement === 'string' ? statement : statement.text;
        statements.getStore()?.push(text);
        return query(statement, values);
      },
    });
  }

  async function make(route: RouteAccess): Promise<Sent> {
    const found = caseOf(route);
    if (!found) throw new Error(`there is no case for ${nameOf(route)}`);
    return found.make(world, own);
  }

  async function send(
    { method }: Pick<RouteAccess, 'method'>,
    { url, body }: Sent,
    token?: string,
  ): Promise<Answer<Problem>> {
    const answer = await platform.app.inject({
      method: method as Method,
      url,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
    });
    const isJson = String(answer.headers['content-type']).includes('json') && answer.body !== '';
    const { statusCode: status, headers } = answer;
    return { status, headers, body: answer.body, json: isJson ? answer.json() : {} };
  }

  const expectRefused = (answer: Answer<Problem>, status: number, code: string) => {
    expect([answer.status, answer.json?.code ?? code]).toEqual([status, code]);
  };

  /** Fails if an answer names anything of the own application that the request does not name. */
  function expectNothingOfOwn(answer: Answer<unknown>, sent: Sent): void {
    const asked = `${sent.url} ${JSON.stringify(sent.body)}`;
    for (const mark of world.marksOf(own)) {
      if (!asked.includes(mark)) expect(answer.body).not.toContain(mark);
    }
  }

  it.each(withCase)('$method $url needs a valid key with the scope $scope', async (route) => {
    const sent = await make(route);
    expectRefused(await send(route, sent), 401, 'KEY_MISSING');
    const forged = `${tokens.own.slice(0, -1)}${tokens.own.endsWith('A') ? 'E' : 'A'}`;
    for (const token of [tokens.expired, tokens.revoked, forged, 'phk_', 'x']) {
      expectRefused(await send(route, sent, token), 401, 'KEY_INVALID');
    }
    const others = scopes.filter((scope) => scope !== route.scope && scope !== 'admin');
    for (const applications of route.scope === 'any' ? [] : ([[own], 'all'] as const)) {
      const token = await platform.createKey({ scopes: others, applications });
      expectRefused(await send(route, sent, token), 403, 'SCOPE_MISSING');
    }
    const sufficient = route.application === 'all' ? ('all' as const) : [own];
    const token = await platform.createKey({
      scopes:
        route.scope === 'any' ? (caseOf(route)?.scopes ?? ['queues:read']) : [route.scope as Scope],
      applications: sufficient,
    });
    expect((await send(route, sent, token)).status).toBe(caseOf(route)?.status ?? 200);
  });

  it.each(withCase)('$method $url lets a key for several and a key for all in', async (route) => {
    const { status = 200 } = caseOf(route) ?? {};
    for (const token of [tokens.several, tokens.all]) {
      const isBound = token === tokens.several;
      const answer = await send(route, await make(route), token);
      if (isBound && route.application === 'all') {
        expectRefused(answer, 403, 'APPLICATION_SCOPE_MISSING');
      } else expect([answer.status, answer.body.slice(0, 300)]).toMatchObject([status, {}]);
    }
  });

  it.each(publicRoutes)('$method $url is the same for everybody', async (route) => {
    const url = route.url.replaceAll(/:\w+|\*/g, unknownId);
    const answers = await Promise.all(
      [undefined, tokens.own, tokens.foreign].map((token) => send(route, { url }, token)),
    );
    expect(new Set(answers.map(({ status }) => status)).size).toBe(1);
    for (const answer of answers) expectNothingOfOwn(answer, { url });
  });

  it.each(from('all'))('$method $url is only for keys for all', async (route) => {
    const sent = await make(route);
    for (const token of [tokens.own, tokens.foreign]) {
      expectRefused(await send(route, sent, token), 403, 'APPLICATION_SCOPE_MISSING');
    }
  });

  it.each(from('owner'))('$method $url does not find what is foreign', async (route) => {
    const sent = await make(route);
    const { id = '' } = sent;
    const unknown: Sent = JSON.parse(JSON.stringify(sent).replaceAll(id, unknownId));
    const ask = async (each: Sent) => {
      const texts: string[] = [];
      const answer = await statements.run(texts, () => send(route, each, tokens.foreign));
      const { instance: _, ...problem } = answer.json;
      const body = JSON.stringify(problem).replaceAll(each.id ?? '', '<id>');
      return { status: answer.status, body, headers: Object.keys(answer.headers), texts };
    };
    const [foreignAnswer, unknownAnswer] = [await ask(sent), await ask({ ...unknown })];
    expect(foreignAnswer).toEqual(unknownAnswer);
    expect(foreignAnswer.status).toBe(404);
    expect(foreignAnswer.texts).not.toEqual([]);
    // It is still there, and unchanged enough to answer its owner.
    expect((await send(route, sent, tokens.own)).status).toBe(caseOf(route)?.status ?? 200);
  });

  it.each(from('named', 'items'))('$method $url refuses a foreign application', async (route) => {
    const sent = await make(route);
    const answer = await send(route, sent, tokens.foreign);
    expect(answer.body).toContain('APPLICATION_FORBIDDEN');
    expect(answer.body).not.toContain('"status":201');
    if (answer.status !== 200) expectRefused(answer, 403, 'APPLICATION_FORBIDDEN');
    expectNothingOfOwn(answer, sent);
  });

  it.each(from('named'))(
    '$method $url asks for the application of a key for several',
    async (route) => {
      const { url, body } = await make(route);
      const sent: Sent = {
        url: url.replace(`&application=${own}`, '').replace(`application=${own}`, ''),
        body: body && { ...body, application: undefined },
      };
      const { status, json } = await send(route, sent, tokens.several);
      expect(status).toBe(422);
      expect(json.code).toMatch(/^(APPLICATION_REQUIRED|REQUEST_INVALID)$/);
    },
  );

  it.each(lists)('$method $url lists nothing that is foreign', async (route) => {
    const sent = await make(route);
    const before = await send(route, sent, tokens.foreign);
    expectNothingOfOwn(before, sent);
    const shown = await send(route, sent, tokens.own);
    const { shows = true, status = 200 } = caseOf(route) ?? {};
    expect(shown.status).toBe(status);
    if (shows) expect(world.marksOf(own).some((mark) => shown.body.includes(mark))).toBe(true);
    // As if nothing were there: what the owner adds changes no byte, count or cursor.
    await make(route);
    const after = await send(route, sent, tokens.foreign);
    const withoutInstance = ({ status, json: { instance: _, ...rest } }: Answer<Problem>) => ({
      status,
      rest,
    });
    expect(withoutInstance(after)).toEqual(withoutInstance(before));
    const join = sent.url.includes('?') ? '&' : '?';
    if (route.application === 'filter') {
      const named = await send(
        route,
        { url: `${sent.url}${join}application=${own}` },
        tokens.foreign,
      );
      expectRefused(named, 403, 'APPLICATION_FORBIDDEN');
    }
    const page = await send(route, { url: `${sent.url}${join}limit=1` }, tokens.own);
    const { next } = page.json as { readonly next?: string | null };
    if (next) {
      const cursor = route.url === '/v1/keys' ? 'before' : 'cursor';
      const continued: Sent = { url: `${sent.url}${join}${cursor}=${encodeURIComponent(next)}` };
      const answer = await send(route, continued, tokens.foreign);
      expectNothingOfOwn(answer, continued);
      expect([200, 404, 422]).toContain(answer.status);
    }
  });

  it('server-sent events sends nothing that is foreign', async () => {
    const url = await platform.listen();
    const topic = `topic-${own}`;
    const publish = (application: string, name: string) =>
      world.call('POST', '/v1/events', { topic, name, application });
    await publish(own, 'before.own');
    await publish(foreign, 'before.foreign');
    const address = `${url}/v1/events?topic=${topic}&from=beginning`;
    const headers = { authorization: `Bearer ${tokens.foreign}` };
    const stream = await follow(address, headers);
    await publish(own, 'after.own');
    await publish(foreign, 'after.foreign');
    await expect
      .poll(() => stream.names(), { timeout: 30_000 })
      .toEqual(['before.foreign', 'after.foreign']);
    stream.leave();
    const accept = { accept: 'text/event-stream' };
    for (const [token, status] of [
      [undefined, 401],
      [tokens.expired, 401],
      [tokens.revoked, 401],
      [await platform.createKey({ scopes: ['events:write'] }), 403],
    ] as const) {
      const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const answer = await fetch(address, { headers: { ...accept, ...authorization } });
      expect(answer.status).toBe(status);
      await answer.body?.cancel();
    }
    const named = await fetch(`${address}&application=${own}`, {
      headers: { ...accept, ...headers },
    });
    expect(named.status).toBe(403);
  });
});
