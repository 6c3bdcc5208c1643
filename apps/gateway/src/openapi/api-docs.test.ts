import { Type } from 'typebox';
import { describe, expect, it } from 'vitest';
import { testServer } from '../../test/test-server.js';
import type { App } from '../app.js';

const Thing = Type.Object({ url: Type.String({ format: 'uri' }) });

const routes = [
  (app: App): void => {
    app.post(
      '/v1/things',
      {
        config: {
          scope: 'callbacks:write',
          application: 'caller',
          audit: 'none',
          errors: ['CALLBACK_INVALID', 'CALLBACK_STATE'],
        },
        schema: { summary: 'Make', description: 'A thing.', body: Thing, response: { 201: Thing } },
      },
      async (_request, reply) => reply.code(201).send({ url: '' }),
    );
  },
];

describe('/openapi.json', () => {
  it('describes every route by its schemas, its scope and its errors', async () => {
    const { app } = await testServer({}, { routes });
    const answer = await app.inject('/openapi.json');
    const document = answer.json<{ openapi: string; paths: Record<string, object> }>();
    expect(answer.headers['content-type']).toContain('application/json');
    expect(document.openapi).toBe('3.1.0');
    expect(Object.keys(document.paths).sort()).toEqual([
      '/health/live',
      '/health/ready',
      '/metrics',
      '/v1/applications',
      '/v1/applications/details',
      '/v1/keys',
      '/v1/keys/{id}',
      '/v1/things',
    ]);
    expect(document.paths['/v1/things']).toMatchObject({
      post: {
        summary: 'Make',
        description: 'A thing.\n\nNeeds the scope `callbacks:write`.',
        security: [{ key: [] }],
        'x-scope': 'callbacks:write',
        requestBody: { content: { 'application/json': { schema: { required: ['url'] } } } },
        responses: {
          201: { description: 'Created' },
          409: {
            description: expect.stringContaining(
              '`CALLBACK_STATE`: The callback is in a state that',
            ),
          },
          422: { description: expect.stringContaining('`CALLBACK_INVALID`: The callback request') },
          401: {
            description: expect.stringMatching(/KEY_INVALID[\s\S]*TOKEN_INVALID[\s\S]*SESSION_INV/),
          },
          429: { description: expect.stringMatching(/RATE_LIMITED[\s\S]*LIMIT_REACHED/) },
          default: {
            content: {
              'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
            },
          },
        },
      },
    });
    expect(document.paths['/health/live']).toMatchObject({ get: { security: [] } });
  });

  it('says of every route how it finds the applications of a request', async () => {
    const { app } = await testServer({}, { routes });
    const { paths } = (await app.inject('/openapi.json')).json();
    expect(paths['/v1/applications']).toMatchObject({
      get: { 'x-application': 'caller' },
      patch: {
        'x-application': 'all',
        description: expect.stringContaining('Only for callers for all applications.'),
        responses: { 403: { description: expect.stringContaining('APPLICATION_SCOPE_MISSING') } },
      },
    });
    expect(paths['/v1/applications/details'].get).toMatchObject({
      'x-application': 'named',
      responses: { 409: { description: expect.stringContaining('APPLICATION_DELETING') } },
    });
  });
});

describe('/docs', () => {
  it.each([
    ['a path that leads out of it', '/docs/static/..%5c..%5cpackage.json', {}],
    ['a path with NUL', '/docs/static/a%00b', {}],
    ['another version of it', '/docs/static/swagger-ui.css', { 'if-match': '"other"' }],
    ['bytes beyond its end', '/docs/static/swagger-ui.css', { range: 'bytes=99999999-' }],
  ])('refuses %s', async (_name, url, headers) => {
    const { app, logs } = await testServer();
    const answer = await app.inject({ url, headers });
    expect(answer.statusCode).toBe(400);
    expect(answer.headers['content-type']).toContain('application/problem+json');
    expect(logs.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('is a page that loads nothing from other servers, and is not allowed to', async () => {
    const { app } = await testServer();
    const page = await app.inject('/docs');
    expect(page.statusCode).toBe(200);
    const sources = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url ?? '');
    expect(sources.length).toBeGreaterThan(4);
    for (const url of sources) {
      expect(url).toMatch(/^\/docs\/static\//);
      expect((await app.inject(url)).statusCode, url).toBe(200);
    }
    const policy = String(page.headers['content-security-policy']);
    expect(policy).toContain("default-src 'self'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).not.toMatch(/https?:|upgrade-insecure-requests/);
    expect(page.body).not.toMatch(/<script>|<style>| on\w+=/);
    expect(page.headers['x-frame-options']).toBe('DENY');
    expect(page.headers).not.toHaveProperty('strict-transport-security');
  });

  it('is not there when POSTHASTE_DOCS is false', async () => {
    const { app } = await testServer({ POSTHASTE_DOCS: 'false' });
    expect((await app.inject('/docs')).statusCode).toBe(404);
    expect((await app.inject('/openapi.json')).statusCode).toBe(404);
  });
});
