import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openTestCallbacks, type TestCallbacks } from '../test/test-callbacks.js';
import { testKeys } from '../test/test-server.js';

interface Operation {
  readonly parameters?: readonly { readonly in: string; readonly name: string }[];
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly description: string;
  readonly responses: Readonly<Record<string, { readonly description: string }>>;
}

interface Schema {
  readonly properties?: Readonly<Record<string, { description?: string; $ref?: string }>>;
}

interface Document {
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

const url = 'https://example.com/hook';
/** All but those of keys, and the pages of links in mails, whose token is the credential. */
const ownPath = /^\/(?:callback|v1\/(?!keys|mail-recipients\/(?:confirm|refuse)$))/;

describeWithPostgres('routes of callbacks', () => {
  let gateway: TestCallbacks;
  let document: Document;
  let operations: (Operation & { method: Method; path: string })[];
  const withKey = (key: string) => gateway.call.with({ authorization: `Bearer ${key}` });

  beforeAll(async () => {
    const keys = testKeys({
      nothing: { id: '1', name: 'nothing', scopes: [] },
      reader: { id: '2', name: 'reader', scopes: ['callbacks:read'] },
      writer: { id: '3', name: 'writer', scopes: ['callbacks:write'] },
    });
    gateway = await openTestCallbacks({}, { keys }, { POSTHASTE_ACCESS: 'keys' });
    document = (await gateway.call<Document>('GET', '/openapi.json')).json;
    operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        ...operation,
        method: method.toUpperCase() as Method,
        path,
      })),
    );
    operations = operations.filter(({ path }) => ownPath.test(path));
  });
  afterAll(() => gateway.close());

  it('each need a key that has their scope', async () => {
    expect(operations.length).toBeGreaterThan(40);
    for (const { method, path } of operations) {
      const missing = await gateway.call(method, path);
      expect(missing, path).toMatchObject({ status: 401, json: { code: 'KEY_MISSING' } });
      const wrong = await withKey('wrong')(method, path);
      expect(wrong, path).toMatchObject({ status: 401, json: { code: 'KEY_INVALID' } });
      const weak = await withKey('nothing')(method, path);
      expect(weak, path).toMatchObject({ status: 403, json: { code: 'SCOPE_MISSING' } });
    }
  });

  it('need different scopes for reading and writing', async () => {
    const writer = withKey('writer');
    const reader = withKey('reader');
    expect((await writer('POST', '/callback', { url })).status).toBe(201);
    expect((await writer('POST', '/v1/callbacks', { url })).status).toBe(201);
    expect((await writer('GET', '/v1/callbacks')).status).toBe(403);
    expect((await reader('GET', '/v1/callbacks')).status).toBe(200);
    expect((await reader('POST', '/v1/callbacks', { url })).status).toBe(403);
    expect((await reader('GET', '/v1/queues')).status).toBe(403);
  });

  it('are each documented with purpose, scope and errors', () => {
    for (const { method, path, summary, tags, description, responses } of operations) {
      const name = `${method} ${path}`;
      expect(summary, name).toBeTruthy();
      expect(tags, name).toHaveLength(1);
      expect(description, name).toMatch(/Needs the scope `\w+(:\w+)?`\./);
      expect(Object.keys(responses), name).toContain('default');
      expect(
        Object.keys(responses).some((status) => status.startsWith('4')),
        name,
      ).toBe(true);
      for (const response of Object.values(responses)) {
        expect(response.description, name).not.toBe('Default Response');
      }
    }
  });

  it('take an Idempotency-Key if they create callbacks', () => {
    const header = expect.objectContaining({ in: 'header', name: 'idempotency-key' });
    for (const path of ['/callback', '/v1/callbacks', '/v1/callbacks/batch']) {
      const operation = operations.find((each) => each.path === path && each.method === 'POST');
      expect(operation?.parameters, path).toContainEqual(header);
    }
  });

  it('have bodies in the API document that are named and described field by field', () => {
    const { CompatibleRequest, NewCallback } = document.components.schemas;
    expect(Object.keys(CompatibleRequest?.properties ?? {})).toEqual([
      'url',
      'method',
      'postdata',
      'retryphases',
      'applicationid',
      'queueid',
      'notificationemailaddress',
    ]);
    for (const [name, field] of Object.entries(NewCallback?.properties ?? {})) {
      expect(field.description ?? field.$ref, name).toBeTruthy();
    }
    const references = JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g);
    for (const [, name = ''] of references)
      expect(document.components.schemas).toHaveProperty(name);
  });
});

describeWithPostgres('the configuration of callback routes', () => {
  it('sets the default time of an attempt, and limits it by the lease', async () => {
    const gateway = await openTestCallbacks({ attemptTimeoutMs: 1_234, leaseMs: 5_000 });
    const post = (body: object) =>
      gateway.call<{ id: string }>('POST', '/v1/callbacks', { url, ...body });
    const { json } = await post({});
    expect((await gateway.call('GET', `/v1/callbacks/${json.id}`)).json).toMatchObject({
      request: { timeoutMs: 1_234 },
    });
    expect((await post({ timeoutMs: 3_000 })).status).toBe(201);
    expect((await post({ timeoutMs: 3_001 })).status).toBe(422);
    await gateway.close();
  });

  it('allows callbacks to this machine if it is set to', async () => {
    const gateway = await openTestCallbacks({ allowLoopback: true });
    const post = (to: string) => gateway.call('POST', '/v1/callbacks', { url: to });
    expect((await post('http://127.0.0.1:9/')).status).toBe(201);
    expect((await post('http://localhost:9/')).status).toBe(201);
    expect((await post('http://10.0.0.1/')).status).toBe(422);
    expect((await post('http://me:secret@127.0.0.1:9/')).status).toBe(422);
    await gateway.close();
  });

  it('accepts only a secret key of 32 bytes', async () => {
    await expect(openTestCallbacks({ secretKey: new Uint8Array(8) })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    });
  });
});

describeWithPostgres('closing callback routes', () => {
  it('stores all accepted callbacks, and refuses new ones', async () => {
    const gateway = await openTestCallbacks();
    const post = () => gateway.call('POST', '/v1/callbacks', { url });
    const answers = Promise.all(Array.from({ length: 20 }, post));
    await gateway.callbacks.close();
    await gateway.callbacks.close();
    const accepted = (await answers).filter(({ status }) => status === 201).length;
    const { json } = await gateway.call<{ items: object[] }>('GET', '/v1/callbacks');
    expect(json.items).toHaveLength(accepted);
    expect(await post()).toMatchObject({ status: 503, json: { code: 'STOPPING' } });
    await gateway.close();
  });
});
