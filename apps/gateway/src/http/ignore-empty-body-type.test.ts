import { Type } from 'typebox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testServer } from '../../test/test-server.js';
import type { App } from '../app.js';

const config = { scope: 'public' } as const;

describe('a request without a body', () => {
  let app: App;
  beforeAll(async () => {
    const routes = (scope: App): void => {
      scope.post('/act', { config }, () => ({ done: true }));
      const body = Type.Object({ name: Type.String() });
      scope.post('/make', { config, schema: { body } }, () => ({ made: true }));
    };
    ({ app } = await testServer({}, { routes: [routes] }));
  });
  afterAll(() => app.close());

  const post = (url: string, contentType: string, payload = '') =>
    app.inject({ method: 'POST', url, headers: { 'content-type': contentType }, payload });

  it.each(['application/json', 'application/octet-stream', 'text/plain', 'nonsense'])(
    'may have the Content-Type %s on a route that takes no body',
    async (contentType) => {
      const { statusCode, json } = await post('/act', contentType);
      expect([statusCode, json()]).toEqual([200, { done: true }]);
    },
  );

  it('is refused on a route that needs a body', async () => {
    const { statusCode, json } = await post('/make', 'application/json');
    expect([statusCode, json()]).toMatchObject([422, { detail: 'the body is empty' }]);
    expect((await post('/make', 'text/plain')).statusCode).toBe(415);
  });

  it('differs from one with a body of another type, which is refused', async () => {
    expect((await post('/act', 'text/plain', 'x')).statusCode).toBe(415);
  });
});
