import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Call } from '../../test/caller.js';
import {
  createPlatformDatabase,
  openTestPlatform,
  type TestPlatform,
} from '../../test/test-platform.js';

interface View {
  readonly application: string;
  readonly code?: string;
}

describeWithPostgres('/v1/applications', () => {
  let database: Awaited<ReturnType<typeof createPlatformDatabase>>;
  let gateway: TestPlatform;
  let asAdmin: Call;
  const detailsOf = (name: string) =>
    `/v1/applications/details?application=${encodeURIComponent(name)}`;
  const asAdminOf = async (...applications: string[]) =>
    gateway.as(await gateway.createKey({ applications }));

  beforeAll(async () => {
    database = await createPlatformDatabase();
    gateway = await openTestPlatform(database);
    asAdmin = gateway.as(await gateway.createKey());
  });
  afterAll(async () => {
    await gateway.close();
    await database.drop();
  });

  it('creates, shows and changes an application', async () => {
    const created = await asAdmin('POST', '/v1/applications', {
      application: 'made',
      limits: { requestsPerSecond: 100 },
      retentionMs: 86_400_000,
    });
    expect(created).toMatchObject({
      status: 201,
      json: {
        application: 'made',
        state: 'active',
        limits: { requestsPerSecond: 100, backlog: null },
        retentionMs: 86_400_000,
      },
    });
    expect((await asAdmin('GET', detailsOf('made'))).json).toEqual(created.json);
    const changed = await asAdmin('PATCH', '/v1/applications?application=made', {
      limits: { backlog: 5, requestsPerSecond: null },
    });
    expect(changed.json).toMatchObject({
      limits: { requestsPerSecond: null, backlog: 5 },
      retentionMs: 86_400_000,
    });
    const again = await asAdmin('POST', '/v1/applications', { application: 'made' });
    expect(again).toMatchObject({ status: 409, json: { code: 'APPLICATION_EXISTS' } });
  });

  it.each([
    '',
    ' ',
    'a/b',
    '..',
    '%2F',
    'caf\u00e9',
    'cafe\u0301',
    '__proto__',
    'constructor',
    '\u{1f600}',
  ])('addresses an application of the name %j', async (application) => {
    expect((await asAdmin('POST', '/v1/applications', { application })).status).toBe(201);
    expect((await asAdmin('GET', detailsOf(application))).json).toMatchObject({ application });
    const path = `/v1/applications?application=${encodeURIComponent(application)}`;
    const changed = await asAdmin('PATCH', path, { retentionMs: 1 });
    expect(changed.json).toMatchObject({ application, retentionMs: 1 });
  });

  it('lists those of the caller, page by page', async () => {
    for (const application of ['p1', 'p2', 'p3']) {
      await asAdmin('POST', '/v1/applications', { application });
    }
    const asSome = await asAdminOf('p3', 'p1');
    const page = async (query: string) =>
      (await asSome<{ items: View[]; next: string | null }>('GET', `/v1/applications?${query}`))
        .json;
    const first = await page('limit=1');
    const second = await page(`limit=1&cursor=${first.next}`);
    expect([...first.items, ...second.items].map((each) => each.application)).toEqual(['p1', 'p3']);
    expect(second.next).toBeNull();
  });

  it('lets an administrator of one application read it and nothing more', async () => {
    await asAdmin('POST', '/v1/applications', { application: 'own' });
    const asOwn = await asAdminOf('own');
    expect((await asOwn('GET', detailsOf('own'))).status).toBe(200);
    expect((await asOwn('GET', detailsOf('made'))).json).toMatchObject({
      code: 'APPLICATION_FORBIDDEN',
    });
    for (const answer of [
      await asOwn('POST', '/v1/applications', { application: 'own2' }),
      await asOwn('PATCH', '/v1/applications?application=own', { limits: { backlog: 1 } }),
    ]) {
      expect(answer).toMatchObject({ status: 403, json: { code: 'APPLICATION_SCOPE_MISSING' } });
    }
  });

  it('has those that a caller for all has named, at once; and that of a new key', async () => {
    const named = { url: 'https://example.com/', application: 'named' };
    expect((await asAdmin('POST', '/v1/callbacks', named)).status).toBe(201);
    expect((await asAdmin('GET', detailsOf('named'))).status).toBe(200);
    await asAdmin('POST', '/v1/keys', { name: 'k', scopes: ['admin'], applications: ['keyed'] });
    expect((await asAdmin('GET', detailsOf('keyed'))).status).toBe(200);
    // Who named it is known, as if it had been created by a call.
    for (const application of ['named', 'keyed']) {
      await asAdmin('POST', '/v1/callbacks', { url: 'https://example.com/', application });
      const path = `/v1/audit?action=application.created&application=${application}`;
      expect((await asAdmin<{ items: object[] }>('GET', path)).json.items).toMatchObject([
        { application, actor: { kind: 'key' }, after: { state: 'active' } },
      ]);
    }
  });

  it('has none that was only read, or named in a request that failed', async () => {
    await asAdmin('GET', '/v1/callbacks?application=read');
    await asAdmin('POST', '/v1/callbacks', { url: 'ftp://x', application: 'failed' });
    await asAdmin('POST', '/v1/queues/pause?application=failed&queue=q&mustExist=true');
    for (const name of ['read', 'failed']) {
      expect((await asAdmin('GET', detailsOf(name))).json).toMatchObject({
        code: 'APPLICATION_NOT_FOUND',
      });
    }
  });

  it('refuses requests to an application that is being deleted, and shows it', async () => {
    await asAdmin('POST', '/v1/applications', { application: 'going' });
    const asGoing = await asAdminOf('going');
    await gateway.db.query(
      `update gateway.application set state = 'deleting' where name = 'going'`,
    );
    const body = { url: 'https://example.com/', application: 'going' };
    await expect
      .poll(async () => (await asAdmin('POST', '/v1/callbacks', body)).json)
      .toMatchObject({ status: 409, code: 'APPLICATION_DELETING' });
    for (const answer of [
      await asGoing('POST', '/v1/callbacks', { url: body.url }),
      await asGoing('GET', '/v1/callbacks'),
      await asAdmin('GET', '/v1/callbacks?application=going'),
    ]) {
      expect(answer.json).toMatchObject({ code: 'APPLICATION_DELETING' });
    }
    expect((await asAdmin('GET', detailsOf('going'))).json).toMatchObject({ state: 'deleting' });
    expect((await asGoing('GET', detailsOf('going'))).json).toMatchObject({ state: 'deleting' });
    const change = await asAdmin('PATCH', '/v1/applications?application=going', { retentionMs: 1 });
    expect(change.json).toMatchObject({ code: 'APPLICATION_DELETING' });
  });

  describe('refuses', () => {
    it.each([
      [{ application: 'x'.repeat(257) }, 'application'],
      [{ application: 'a\0b' }, 'application'],
      [{}, 'application'],
      [{ application: 'x', limits: { backlog: 0 } }, 'limits.backlog'],
      [{ application: 'x', limits: { backlog: 1.5 } }, 'limits.backlog'],
      [{ application: 'x', limits: { unknown: 1 } }, 'limits.unknown'],
      [{ application: 'x', retentionMs: -1 }, 'retentionMs'],
    ])('%j because of its %s', async (body, field) => {
      const answer = await asAdmin<{ details: { field: string }[] }>(
        'POST',
        '/v1/applications',
        body,
      );
      expect(answer.status).toBe(422);
      expect(answer.json.details[0]?.field).toContain(field);
    });

    it.each(['/v1/applications?cursor=x', '/v1/applications/details', detailsOf('a\0')])(
      '%s',
      async (path) => {
        expect((await asAdmin('GET', path)).status).toBe(422);
      },
    );
  });
});
