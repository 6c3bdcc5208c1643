import type { KeyRequest } from '@posthaste/access';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPlatformDatabase } from '../../../test/test-platform.js';
import { openTestRealtime, type TestRealtime } from '../../../test/test-realtime.js';

const wait = { timeout: 30_000 };
const path = '/v1/namespaces';

interface Answer {
  readonly status: number;
  readonly etag: string | null;
  readonly location: string | null;
  readonly body: Record<string, unknown> & {
    readonly code?: string;
    readonly detail?: string;
    readonly items?: readonly { readonly name: string; readonly application: string | null }[];
    readonly next?: string | null;
    readonly details?: readonly { readonly field: string; readonly message: string }[];
  };
}

/** Calls a gateway as somebody. */
function callerOf({ gateway }: TestRealtime, token: string, headers: object = {}) {
  return async (method: string, url: string, body?: object): Promise<Answer> => {
    const response = await fetch(`${gateway.url}${url}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const { headers: answered, status } = response;
    return {
      status,
      etag: answered.get('etag'),
      location: answered.get('location'),
      body: text === '' ? {} : JSON.parse(text),
    };
  };
}

describeWithPostgres('/v1/namespaces', () => {
  let database: Awaited<ReturnType<typeof createPlatformDatabase>>;
  let one: TestRealtime;
  let two: TestRealtime;
  let key: string;
  let call: ReturnType<typeof callerOf>;
  let asAll: ReturnType<typeof callerOf>;

  beforeAll(async () => {
    database = await createPlatformDatabase();
    const file = {
      namespaces: [
        { name: 'of-file', application: 'shop', history: 7 },
        { name: 'for-all', durable: false },
        { name: 'pay-only', application: 'pay' },
      ],
      applications: ['shop', 'pay'],
      server: {},
      createAuthorizers: () => [],
    };
    const environment = { POSTHASTE_RATE_LIMIT: '0', POSTHASTE_FAULT_RATE_LIMIT: '0' };
    const config = { file, topicApplications: ['pay-*=pay'] };
    one = await openTestRealtime(database, environment, config);
    two = await openTestRealtime(database, environment, config);
    key = await one.createKey();
    call = callerOf(one, key);
    asAll = callerOf(one, await one.createKey({ applications: 'all' }));
  });
  afterAll(async () => {
    await Promise.all([one?.close(), two?.close()]);
    await database?.drop();
  });

  describe('create, read, replace and delete', () => {
    it('a namespace of the own application, with its defaults shown', async () => {
      const settings = { history: 5, durable: false, subscribeAuthModes: ['API_KEY'] };
      const made = await call('POST', path, { name: 'chat', ...settings });
      expect(made).toMatchObject({
        status: 201,
        location: `${path}/chat?application=shop`,
        body: {
          ...{ application: 'shop', name: 'chat', ...settings, definedBy: 'api' },
          ...{ publishAuthModes: null, maxEventBytes: 245_760, schema: null, forwardTo: null },
        },
      });
      const read = await call('GET', `${path}/chat`);
      expect([read.status, read.etag, read.body]).toEqual([200, made.etag, made.body]);
      expect((await call('GET', made.location ?? '')).body).toEqual(made.body);
      const replaced = await call('PUT', `${path}/chat`, { history: null, maxEventBytes: 1_000 });
      expect(replaced).toMatchObject({
        status: 200,
        body: { history: 100, durable: true, subscribeAuthModes: null, maxEventBytes: 1_000 },
      });
      expect(await call('DELETE', `${path}/chat`)).toMatchObject({ status: 204 });
      expect(await call('GET', `${path}/chat`)).toMatchObject({
        status: 404,
        body: { code: 'NAMESPACE_NOT_FOUND' },
      });
    });

    it('refuse a change that is based on an earlier state', async () => {
      const { etag } = await call('POST', path, { name: 'raced' });
      const onCreated = callerOf(one, key, { 'if-match': etag });
      const first = await onCreated('PUT', `${path}/raced`, { history: 1 });
      expect(first.status).toBe(200);
      const late = { status: 412, body: { code: 'PRECONDITION_FAILED' } };
      expect(await onCreated('PUT', `${path}/raced`, { history: 2 })).toMatchObject(late);
      expect(await onCreated('DELETE', `${path}/raced`)).toMatchObject(late);
      const onChanged = callerOf(one, key, { 'if-match': first.etag });
      expect((await onChanged('DELETE', `${path}/raced`)).status).toBe(204);
    });

    it('say which settings are wrong, and why', async () => {
      const fieldsOf = async (body: object) => {
        const answer = await call('POST', path, { name: 'wrong', ...body });
        expect(answer).toMatchObject({ status: 422, body: { code: 'REQUEST_INVALID' } });
        return answer.body.details?.map(({ field, message }) => `${field} ${message}`).join('; ');
      };
      expect(await fieldsOf({ history: -1, maxEventBytes: 2_000_000 })).toBe(
        'history is not a whole number from 0 to 10000; maxEventBytes is not a whole number from 1 to 1048576',
      );
      expect(await fieldsOf({ schema: { pattern: '(a+)+' } })).toContain('schema has the');
      expect(await fieldsOf({ name: 'posthaste' })).toContain('name is reserved');
      expect(await fieldsOf({ name: 'a/b' })).toContain('name');
      expect(await fieldsOf({ publishAuthModes: ['PASSWORD'] })).toContain('publishAuthModes');
      expect(await fieldsOf({ handlers: {} })).toContain('handlers');
      const forward = (topic: string, name: string) => fieldsOf({ forwardTo: { topic, name } });
      expect(await forward('pay-orders', 'a.b')).toBe(
        "forwardTo has the topic 'pay-orders', which belongs to another application",
      );
      expect(await forward('callbacks', 'a.b')).toContain("forwardTo has the topic 'callbacks'");
      expect(await forward('orders', 'callback.sent')).toContain('forwardTo');
      // No event can be published to these, so that every publish would fail.
      for (const topic of ['orders.dlq', 'pay.group.retry.1', 'a--b', 'x'.repeat(250)]) {
        expect(await forward(topic, 'a.b')).toContain(`forwardTo has the topic '${topic}'`);
      }
      const put = await call('PUT', `${path}/default`, { history: 1.5 });
      expect(put.status).toBe(422);
    });

    it('refuse a second one of a name, and more than 50', async () => {
      const token = await one.createKey({ applications: ['many'] });
      const many = callerOf(one, token);
      for (let n = 0; n < 50; n += 1) {
        expect((await many('POST', path, { name: `n${n}` })).status).toBe(201);
      }
      expect(await many('POST', path, { name: 'n50' })).toMatchObject({
        status: 409,
        body: { code: 'NAMESPACE_LIMIT_REACHED' },
      });
      expect(await many('POST', path, { name: 'n1' })).toMatchObject({
        status: 409,
        body: { code: 'NAMESPACE_EXISTS' },
      });
      const names: string[] = [];
      let cursor = '';
      do {
        const page = await many('GET', `${path}?limit=20${cursor}`);
        names.push(...(page.body.items ?? []).map(({ name }) => name));
        cursor = page.body.next ? `&cursor=${encodeURIComponent(page.body.next)}` : '';
      } while (cursor !== '');
      expect(names).toHaveLength(52);
      expect(names[0]).toBe('for-all');
      expect(new Set(names)).toEqual(
        new Set(['for-all', 'default', ...Array.from({ length: 50 }, (_, n) => `n${n}`)]),
      );
      expect((await many('GET', `${path}?cursor=x`)).status).toBe(422);
    });

    it('find no name that no namespace can have', async () => {
      for (const name of ['posthaste', 'a%2Fb', '%00', 'x'.repeat(51), 'é']) {
        expect((await call('DELETE', `${path}/${name}`)).status, name).toBe(404);
      }
    });
  });

  it('shows the namespaces of the file, and changes none of them', async () => {
    const ofFile = await call('GET', `${path}/of-file`);
    expect(ofFile).toMatchObject({
      status: 200,
      etag: null,
      body: { application: 'shop', history: 7, definedBy: 'file', createdAt: null },
    });
    expect(await call('GET', `${path}/for-all`)).toMatchObject({
      body: { application: null, durable: false, definedBy: 'file' },
    });
    const listed = await call('GET', `${path}?limit=500`);
    const names = listed.body.items?.map(({ name }) => name);
    expect(names?.slice(0, 2)).toEqual(['for-all', 'of-file']);
    expect(names).not.toContain('pay-only');
    const refused = { status: 409, body: { code: 'NAMESPACE_CONFIGURED' } };
    expect(await call('POST', path, { name: 'of-file' })).toMatchObject(refused);
    expect(await call('PUT', `${path}/of-file`, {})).toMatchObject(refused);
    const deleted = await call('DELETE', `${path}/of-file`);
    expect(deleted).toMatchObject(refused);
    expect(deleted.body.detail).toBe(
      "the namespace 'of-file' is defined in the file of POSTHASTE_REALTIME_CONFIG; change it there",
    );
    expect(await asAll('PUT', `${path}/for-all`, {})).toMatchObject(refused);
    // An application may have one of its own beside a shared one of the file.
    expect((await call('POST', path, { name: 'for-all', history: 3 })).status).toBe(201);
    expect((await call('GET', `${path}/for-all`)).body).toMatchObject({ history: 3 });
    expect((await call('DELETE', `${path}/for-all`)).status).toBe(204);
  });

  it('lets callers for all change what all share, and nobody else', async () => {
    expect((await asAll('POST', path, { name: 'shared', history: 9 })).body).toMatchObject({
      application: null,
    });
    expect((await call('GET', `${path}/shared`)).body).toMatchObject({ history: 9 });
    // Without one of its own, there is nothing that an application could change.
    expect((await call('PUT', `${path}/shared`, {})).status).toBe(404);
    expect((await call('DELETE', `${path}/shared`)).status).toBe(404);
    expect((await asAll('DELETE', `${path}/default`)).status).toBe(422);
    expect((await asAll('DELETE', `${path}/shared`)).status).toBe(204);
  });

  it('needs the channels of the namespace, where a key is limited to channels', async () => {
    const scopes = ['realtime:write'] as const;
    const limited = callerOf(one, await one.createKey({ scopes, channels: ['/mine/*'] }));
    expect(await limited('POST', path, { name: 'other' })).toMatchObject({
      status: 403,
      body: { code: 'CHANNEL_FORBIDDEN' },
    });
    expect((await limited('POST', path, { name: 'mine' })).status).toBe(201);
    expect((await limited('PUT', `${path}/default`, {})).status).toBe(403);
    expect((await limited('DELETE', `${path}/mine`)).status).toBe(204);
  });

  it('needs the right to publish events, for a namespace that forwards', async () => {
    const forwardTo = { topic: 'orders', name: 'chat.said' };
    const create = async (scopes: KeyRequest['scopes']) => {
      const as = callerOf(one, await one.createKey({ scopes }));
      const { status, body } = await as('POST', path, { name: 'forwards', forwardTo });
      return [status, body.code];
    };
    expect(await create(['realtime:write'])).toEqual([403, 'SCOPE_MISSING']);
    expect(await create(['realtime:write', 'events:write'])).toEqual([201, undefined]);
    const plain = callerOf(one, await one.createKey({ scopes: ['realtime:write'] }));
    expect((await plain('PUT', `${path}/forwards`, { forwardTo })).status).toBe(403);
    expect((await plain('PUT', `${path}/forwards`, {})).status).toBe(200);
    expect((await plain('DELETE', `${path}/forwards`)).status).toBe(204);
  });

  it('puts changes in force on all gateways, and ends subscriptions of what is removed', async () => {
    await call('POST', path, { name: 'live', durable: false });
    const [here, there] = [await one.connect(key), await two.connect(key)];
    const kept = there.subscribe('/default/kept');
    await kept.ready;
    // The gateway that made the change knows it at once.
    const mine = here.subscribe('/live/room');
    await mine.ready;
    await expect.poll(() => two.post(key, '/live/room', '1'), wait).toBe(200);
    const theirs = there.subscribe('/live/*');
    await theirs.ready;
    await call('PUT', `${path}/live`, { maxEventBytes: 10 });
    const tooLarge = async () => {
      const answer = await there.publish('/live/room', ['"12345678901"']);
      return answer.failed.length;
    };
    await expect.poll(tooLarge, wait).toBe(1);
    const endOf = async (subscription: typeof mine) => {
      try {
        for await (const _ of subscription);
        return 'no error';
      } catch (error) {
        return error;
      }
    };
    const ends = [endOf(mine), endOf(theirs)];
    await call('DELETE', `${path}/live`);
    const removed = {
      reason: 'server_error',
      errors: [{ errorType: 'ResourceNotFound', message: "The namespace 'live' was removed." }],
    };
    for (const end of ends) expect(await end).toMatchObject(removed);
    expect(await one.post(key, '/live/room', '1')).not.toBe(200);
    expect(await two.post(key, '/default/kept', '"still"')).toBe(200);
    for await (const { event } of kept) {
      expect(event).toBe('"still"');
      break;
    }
  });
});
