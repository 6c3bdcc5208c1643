import { Readable } from 'node:stream';
import { Type } from 'typebox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testServer } from '../../test/test-server.js';
import type { App } from '../app.js';
import { nullable } from '../routes/schemas/field-schemas.js';

const config = { scope: 'public', application: 'none', audit: 'none' } as const;

describe('a request without a body', () => {
  let app: App;
  beforeAll(async () => {
    const routes = (scope: App): void => {
      scope.post('/act', { config }, () => ({ done: true }));
      const body = Type.Object({ name: Type.String() });
      scope.post('/make', { config, schema: { body } }, () => ({ made: true }));
      scope.post('/may', { config, schema: { body: nullable(body) } }, (request) => ({
        body: request.body ?? null,
      }));
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

  it.each(['application/json', 'application/octet-stream', 'text/plain', 'nonsense'])(
    'may have the Content-Type %s on a route whose body may be left out',
    async (contentType) => {
      const { statusCode, json } = await post('/may', contentType);
      expect([statusCode, json()]).toEqual([200, { body: null }]);
    },
  );

  it.each(['/act', '/may'])('may be sent in chunks to %s', async (url) => {
    const answer = await app.inject({
      method: 'POST',
      url,
      headers: { 'content-type': 'application/json', 'transfer-encoding': 'chunked' },
      payload: Readable.from([]),
    });
    expect(answer.statusCode).toBe(200);
  });

  it('differs from a body that the route checks', async () => {
    const { statusCode, json } = await post('/may', 'application/json', '{"name":"a"}');
    expect([statusCode, json()]).toEqual([200, { body: { name: 'a' } }]);
    expect((await post('/may', 'application/json', '{}')).statusCode).toBe(422);
    expect((await post('/may', 'application/json', ' ')).statusCode).toBe(422);
  });

  it('is refused on a route that needs a body', async () => {
    const { statusCode, json } = await post('/make', 'application/json');
    expect([statusCode, json()]).toMatchObject([422, { detail: 'the body is empty' }]);
    expect((await post('/make', 'text/plain')).statusCode).toBe(415);
  });

  it('differs from one with a body of another type, which is refused', async () => {
    expect((await post('/act', 'text/plain', 'x')).statusCode).toBe(415);
  });
});
