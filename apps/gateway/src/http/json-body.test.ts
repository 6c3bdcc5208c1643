import { gzipSync } from 'node:zlib';
import { Type } from 'typebox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testServer } from '../../test/test-server.js';
import type { App } from '../app.js';
import { addExactBodyParser } from '../routes/schemas/exact-body.js';
import { setJsonParser } from './json-body.js';

const config = { scope: 'public', application: 'none', audit: 'none' } as const;
const schema = { body: Type.Unknown() };

describe('a JSON body', () => {
  let app: App;
  beforeAll(async () => {
    const plain = (scope: App): void => {
      scope.post('/plain', { config, schema }, ({ body }) => ({ body }));
    };
    const exact = (scope: App): void => {
      addExactBodyParser(scope, { parse: JSON.parse });
      scope.post('/exact', { config, schema }, ({ body }) => ({ body }));
    };
    const own = (scope: App): void => {
      setJsonParser(scope, (text) => JSON.parse(text));
      scope.post('/own', { config, schema }, ({ body }) => ({ body }));
    };
    ({ app } = await testServer({}, { routes: [plain, exact, own] }));
  });
  afterAll(() => app.close());

  const post = (url: string, payload: Buffer, headers: Record<string, string> = {}) =>
    app.inject({
      method: 'POST',
      url,
      headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
      payload,
    });
  const json = Buffer.from('{"text":"ü"}');

  describe.each(['/plain', '/exact', '/own'])('of %s', (url) => {
    it.each([{}, { 'content-encoding': 'identity' }, { 'content-encoding': '' }])(
      'is read with the headers %o',
      async (headers) => {
        expect((await post(url, json, headers)).json()).toEqual({ body: { text: 'ü' } });
      },
    );

    it('with a byte order mark is refused, and the mark is named', async () => {
      const answer = await post(url, Buffer.concat([Buffer.from('\ufeff'), json]));
      expect(answer.statusCode).toBe(415);
      expect(answer.json()).toMatchObject({
        code: 'MEDIA_TYPE_UNSUPPORTED',
        detail: 'the body begins with a UTF-8 byte order mark (BOM); send it without one',
      });
    });

    it.each(['gzip', 'br', 'identity, gzip'])(
      'with the Content-Encoding %s is refused, and the encoding is named',
      async (encoding) => {
        const answer = await post(url, gzipSync(json), { 'content-encoding': encoding });
        expect(answer.statusCode).toBe(415);
        expect(answer.headers['accept-encoding']).toBe('identity');
        expect(answer.json()).toMatchObject({
          code: 'MEDIA_TYPE_UNSUPPORTED',
          detail: `the body has the Content-Encoding '${encoding}'; send it without one`,
        });
      },
    );

    it('that is not UTF-8 is refused', async () => {
      const answer = await post(url, Buffer.from('{"text":"ü"}', 'latin1'));
      expect([answer.statusCode, answer.json()]).toMatchObject([
        422,
        { detail: 'the body is not valid UTF-8' },
      ]);
    });
  });
});
