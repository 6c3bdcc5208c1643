import { errorCodes, PlatformError } from '@posthaste/contracts';
import { Type } from 'typebox';
import { describe, expect, it } from 'vitest';
import { testServer } from '../../test/test-server.js';
import type { App } from '../app.js';

const Body = Type.Object({ url: Type.String(), count: Type.Optional(Type.Integer()) });
const Query = Type.Object({ limit: Type.Optional(Type.Integer({ minimum: 1 })) });

function routes(failure?: unknown) {
  return [
    (app: App): void => {
      const config = { scope: 'public', application: 'none', audit: 'none' } as const;
      const schema = { body: Body, querystring: Query };
      app.post('/things', { config, schema }, ({ body, query }) => {
        if (failure !== undefined) throw failure;
        return { ...body, ...query };
      });
      app.get('/gone', { config }, (_request, reply) => void reply.callNotFound());
    },
  ];
}

async function post(payload: string, contentType = 'application/json', url = '/things') {
  const { app } = await testServer({}, { routes: routes() });
  return app.inject({ method: 'POST', url, headers: { 'content-type': contentType }, payload });
}

async function failWith(failure: unknown) {
  const server = await testServer({}, { routes: routes(failure) });
  const answer = await server.app.inject({ method: 'POST', url: '/things', payload: { url: '' } });
  return { ...server, answer };
}

describe('a request that is wrong', () => {
  it('is answered with problem details that name each field', async () => {
    const answer = await post('{"count":"7"}');
    expect(answer.statusCode).toBe(422);
    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(answer.json()).toEqual({
      type: 'urn:posthaste:error:REQUEST_INVALID',
      title: errorCodes.REQUEST_INVALID.meaning,
      status: 422,
      detail: 'url: is missing',
      code: 'REQUEST_INVALID',
      retryable: false,
      instance: expect.stringMatching(/^[0-9a-f]{10}-\w+$/),
      details: [
        { field: 'url', message: 'is missing' },
        { field: 'count', message: 'must be integer' },
      ],
    });
  });

  it.each([
    ['', 'the body is empty'],
    ['{"url":', 'the body is not valid JSON'],
    ["{'url':''}", 'the body is not valid JSON'],
    ['{"url":"","__proto__":{"admin":true}}', 'the body is not valid JSON'],
    ['{"url":"","constructor":{"prototype":{"admin":true}}}', 'the body is not valid JSON'],
    ['null', 'body: must be object'],
    ['[]', 'body: must be object'],
    ['"text"', 'body: must be object'],
  ])('with the body %j gets the detail: %s', async (payload, detail) => {
    const answer = await post(payload);
    expect(answer.statusCode).toBe(422);
    expect(answer.json()).toMatchObject({ code: 'REQUEST_INVALID', detail });
  });

  it('has its query converted by the schema, or refused', async () => {
    expect((await post('{"url":""}', undefined, '/things?limit=5')).json()).toEqual({
      url: '',
      limit: 5,
    });
    const wrong = await post('{"url":""}', undefined, '/things?limit=0');
    expect(wrong.json()).toMatchObject({ details: [{ field: 'query.limit' }] });
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/xml', 'nonsense'])(
    'with the Content-Type %s is refused with 415',
    async (contentType) => {
      const answer = await post('{"url":""}', contentType);
      expect(answer.statusCode).toBe(415);
      expect(answer.json()).toMatchObject({ code: 'MEDIA_TYPE_UNSUPPORTED', status: 415 });
    },
  );

  it('is not one with a charset in its Content-Type', async () => {
    expect((await post('{"url":"ü"}', 'application/json; charset=UTF-8')).json()).toEqual({
      url: 'ü',
    });
  });

  it('is malformed if its path is not valid', async () => {
    const { app } = await testServer();
    const answer = await app.inject('/%zz');
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({ code: 'REQUEST_MALFORMED', status: 400 });
  });

  it('is logged at level debug only', async () => {
    const { app, logs } = await testServer();
    await app.inject('/nothing');
    expect(logs).toMatchObject([{ level: 'debug', code: 'ROUTE_NOT_FOUND', status: 404 }]);
  });
});

describe('a route that fails', () => {
  it('with a PlatformError is answered with its code', async () => {
    const failure = new PlatformError('CALLBACK_STATE', 'it was delivered', { details: { a: 1 } });
    const { answer } = await failWith(failure);
    expect(answer.statusCode).toBe(409);
    expect(answer.json()).toMatchObject({ code: 'CALLBACK_STATE', details: { a: 1 } });
  });

  it('because the database cannot be reached sends Retry-After, and warns once a second', async () => {
    const failure = new PlatformError('DATABASE_UNAVAILABLE', 'none to 10.0.0.7');
    const { app, answer, logs } = await failWith(failure);
    await app.inject({ method: 'POST', url: '/things', payload: { url: '' } });
    expect(answer.statusCode).toBe(503);
    expect(answer.headers['retry-after']).toBe('1');
    expect(answer.json()).toMatchObject({ retryable: true });
    expect(answer.body).not.toContain('10.0.0.7');
    expect(logs.filter((line) => line.level === 'warn')).toMatchObject([
      { msg: 'none to 10.0.0.7' },
    ]);
  });

  it.each([
    new Error('password is hunter2'),
    Object.assign(new Error('hunter2'), { statusCode: 418, code: 'TEAPOT' }),
    new PlatformError('DATABASE_ERROR', 'hunter2', { details: 'hunter2' }),
    'hunter2',
    null,
  ])('with %s hides the details from the caller, and logs them', async (failure) => {
    const { answer, logs } = await failWith(failure);
    expect(answer.statusCode).toBe(500);
    expect(answer.body).not.toContain('hunter2');
    expect(answer.json()).toMatchObject({ status: 500, retryable: false });
    expect(logs).toMatchObject([
      {
        level: 'error',
        requestId: answer.json<{ instance: string }>().instance,
        method: 'POST',
        path: '/things',
        err: { stack: expect.any(String) },
      },
    ]);
  });

  it('by calling callNotFound is answered with 404', async () => {
    const { app } = await testServer({}, { routes: routes() });
    const answer = await app.inject('/gone');
    expect(answer.statusCode).toBe(404);
    expect(answer.json()).toMatchObject({ code: 'ROUTE_NOT_FOUND' });
  });

  it('has answers that are not cached, and whose type browsers do not guess', async () => {
    const { answer } = await failWith(new PlatformError('INTERNAL', 'x'));
    expect(answer.headers).toMatchObject({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    });
  });
});
