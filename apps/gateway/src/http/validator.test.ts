import { Type } from 'typebox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testServer } from '../../test/test-server.js';
import type { App } from '../app.js';
import { listQuery } from '../routes/schemas/pages.js';

describe('integers in a query', () => {
  let app: App;
  beforeAll(async () => {
    const statusCode = Type.Optional(Type.Integer({ minimum: 0, maximum: 999 }));
    const querystring = listQuery(500, { statusCode, name: Type.Optional(Type.String()) });
    const routes = (scope: App): void => {
      const options = {
        config: { scope: 'public', application: 'none' },
        schema: { querystring },
      } as const;
      scope.get('/things', options, ({ query }) => query);
    };
    ({ app } = await testServer({}, { routes: [routes] }));
  });
  afterAll(() => app.close());

  it.each([
    ['limit=2&statusCode=500&name=2.9', { limit: 2, statusCode: 500, name: '2.9' }],
    ['statusCode=0', { statusCode: 0 }],
    ['limit=007', { limit: 7 }],
    ['', {}],
  ])('are read from %s', async (query, read) => {
    expect((await app.inject(`/things?${query}`)).json()).toEqual(read);
  });

  it.each([
    ['limit=2.9', 'query.limit'],
    ['statusCode=500.9', 'query.statusCode'],
    ['limit=2.0', 'query.limit'],
    ['limit=1e1', 'query.limit'],
    ['limit=0x10', 'query.limit'],
    ['limit=true', 'query.limit'],
    ['limit=', 'query.limit'],
    ['limit=%205', 'query.limit'],
    ['limit=Infinity', 'query.limit'],
    ['limit=2&limit=3', 'query.limit'],
    ['limit=501', 'query.limit'],
    ['statusCode=-1', 'query.statusCode'],
  ])('are refused when they are none, or out of range: %s', async (query, field) => {
    const answer = await app.inject(`/things?${query}`);
    expect([answer.statusCode, answer.json()]).toMatchObject([
      422,
      { code: 'REQUEST_INVALID', details: [{ field }] },
    ]);
  });
});
