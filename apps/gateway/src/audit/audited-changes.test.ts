import { randomBytes } from 'node:crypto';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { putDeadLetters } from '../../test/dead-letters.js';
import { type EntryView, openTestAudit, type TestAudit } from '../../test/test-audit.js';
import type { Engine } from '../../test/test-events.js';
import { testServer } from '../../test/test-server.js';
import type { App } from '../app.js';

const url = 'https://example.com/hooks';

interface Created {
  readonly id: string;
  readonly endpoint: { readonly id: string };
}

/** Creates an endpoint and returns its id. */
async function createEndpoint({ call }: TestAudit, body: object): Promise<string> {
  const answer = await call<Created>('POST', '/v1/endpoints', { url, ...body });
  expect(answer.status, answer.body).toBe(201);
  return answer.json.endpoint.id;
}

/** Calls every route that changes something, so that each changes something. */
async function changeEverything(platform: TestAudit): Promise<void> {
  const { call } = platform;
  const ok = async (method: 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: object) => {
    const answer = await call<Created>(method, path, body);
    expect(answer.status, `${method} ${path}: ${answer.body}`).toBeLessThan(300);
    return answer.json;
  };
  const callback = async (body: object) => (await ok('POST', '/v1/callbacks', { url, ...body })).id;
  const app = 'application=all';

  const { id: key } = await ok('POST', '/v1/keys', { name: 'k', scopes: ['queues:read'] });
  await ok('DELETE', `/v1/keys/${key}`);
  await ok('POST', '/v1/applications', { application: 'new' });
  await ok('PATCH', '/v1/applications?application=new', { limits: { backlog: 5 } });
  await ok('PUT', '/v1/retry-policies/slow', { phases: [{ retries: 1, delayMs: 5_000 }] });
  await ok('DELETE', '/v1/retry-policies/slow');
  await ok('POST', '/v1/secrets', { application: 'all', name: 's' });
  await ok('POST', `/v1/secrets/s/rotate?${app}`, { graceMs: 60_000 });
  await ok('DELETE', `/v1/secrets/s?${app}`);
  const endpoint = await createEndpoint(platform, { application: 'all', name: 'e' });
  const path = `/v1/endpoints/${endpoint}`;
  await ok('PATCH', path, { name: 'renamed' });
  for (const action of ['pause', 'resume', 'disable', 'enable']) {
    await ok('POST', `${path}/${action}`, {});
  }
  await ok('POST', `${path}/secrets`, {});
  const { id } = await ok('POST', '/v1/subscriptions', { endpointId: endpoint, eventName: 'a.*' });
  await ok('PUT', `/v1/subscriptions/${id}`, { eventName: 'b.*' });
  await ok('DELETE', `/v1/subscriptions/${id}`);
  await ok('DELETE', path);
  await ok('POST', '/v1/queues/pause?queue=q');
  await ok('PUT', '/v1/queues/settings?queue=q', { onFailure: 'park' });
  await ok('POST', '/v1/queues/resume?queue=q');
  await callback({ queue: 'q2', deliverAfter: new Date(Date.now() + 3_600_000).toISOString() });
  await ok('POST', '/v1/queues/unblock?queue=q2', { mode: 'skip' });
  const later = await callback({ deliverAfter: new Date(Date.now() + 3_600_000).toISOString() });
  await ok('POST', `/v1/callbacks/${later}/retry`);
  await ok('POST', `/v1/callbacks/${later}/cancel`);
  await ok('POST', `/v1/callbacks/${later}/replay`);
  const { id: replay } = await ok('POST', '/v1/replays', { filter: { state: 'failed' } });
  await ok('POST', `/v1/replays/${replay}/cancel`);
  await createEndpoint(platform, { name: 'mailed', notificationEmail: 'ops@example.com' });
  const listed = await call<{ items: Created[] }>('GET', '/v1/mail-recipients');
  for (const decision of ['refuse', 'confirm']) {
    await ok('POST', `/v1/mail-recipients/${listed.json.items[0]?.id}/${decision}`);
  }
  await ok('POST', '/v1/namespaces', { application: 'all', name: 'chat' });
  await ok('PUT', `/v1/namespaces/chat?${app}`, { history: 5 });
  await ok('DELETE', `/v1/namespaces/chat?${app}`);
  await putDeadLetters(platform, [{ name: 'order.created' }]);
  const letters = { topic: 'orders', ratePerSecond: 1, filter: { name: 'none' } };
  const { id: again } = await ok('POST', '/v1/events/dead-letters/replays', letters);
  await ok('POST', `/v1/events/dead-letters/replays/${again}/cancel`);
}

function testOn(engine: Engine): void {
  let platform: TestAudit;
  let call: TestAudit['call'];
  beforeAll(async () => {
    platform = await openTestAudit(engine);
    ({ call } = platform);
  });
  afterAll(() => platform.close());
  const entries = (query: string): Promise<readonly EntryView[]> => platform.entries(query);

  it('records a change by every route that declares one', async () => {
    await changeEverything(platform);
    const found = await entries('');
    const actions = new Set(found.map(({ action }) => action));
    expect([...actions].sort()).toEqual([...platform.declared].sort());
    // Each says who, and what differs.
    for (const { actor, changed, action, from } of found) {
      expect([actor.kind, actor.name], action).toEqual(['key', 'the admin']);
      expect(changed, action).not.toEqual([]);
      expect(from, action).toMatchObject({ address: '127.0.0.1', userAgent: 'test/1' });
    }
  });

  it('shows the states before and after, without secrets', async () => {
    const id = await createEndpoint(platform, {
      application: 'shown',
      name: 'orders',
      url: `${url}?key=hidden-1`,
      headers: { authorization: 'Bearer hidden-2' },
    });
    const patch = { timeoutMs: 5_000, headers: { authorization: 'Bearer hidden-3' } };
    await call('PATCH', `/v1/endpoints/${id.replaceAll('-', '').toUpperCase()}`, patch);
    await call('DELETE', `/v1/endpoints/${id}`);
    const target = { kind: 'endpoint', id, name: 'orders' };
    const first = { url: `${url}?***`, timeoutMs: 15_000, headers: { authorization: '***' } };
    const second = { ...first, timeoutMs: 5_000 };
    const found = await entries('application=shown');
    expect(found).toMatchObject([
      { action: 'endpoint.deleted', target, before: second, after: null },
      {
        action: 'endpoint.updated',
        target,
        application: 'shown',
        before: first,
        after: second,
        changed: ['/headers/authorization', '/timeoutMs', '/updatedAt'],
      },
      { action: 'endpoint.created', target, before: null, after: first },
    ]);
    expect(JSON.stringify(found)).not.toContain('hidden');
  });

  it('shows the settings of a namespace, and tells one of an application from a shared one', async () => {
    const application = 'spaces';
    await call('POST', '/v1/namespaces', { application, name: 'rooms', history: 5 });
    await call('POST', '/v1/namespaces', { name: 'rooms' });
    await call('PUT', '/v1/namespaces/rooms?application=spaces', { durable: false });
    // The same settings again are no change.
    await call('PUT', '/v1/namespaces/rooms?application=spaces', { durable: false });
    await call('DELETE', '/v1/namespaces/rooms?application=spaces');
    const target = { kind: 'namespace', id: 'spaces/rooms', name: 'rooms' };
    const first = { name: 'rooms', history: 5, durable: true };
    const second = { name: 'rooms', history: 100, durable: false };
    expect(await entries('action=namespace.*&application=spaces')).toMatchObject([
      { action: 'namespace.deleted', application, target, before: second, after: null },
      { action: 'namespace.updated', target, before: first, after: second },
      { action: 'namespace.created', target, before: null, after: first },
    ]);
    const shared = (await entries('target=rooms')).filter(({ target }) => target.id === 'rooms');
    expect(shared).toMatchObject([{ action: 'namespace.created', application: null }]);
  });

  it('has no entry for refused calls, and for calls that change nothing', async () => {
    const id = await createEndpoint(platform, { application: 'none', name: 'taken' });
    const other = await createEndpoint(platform, { application: 'none', name: 'other' });
    const before = await entries('');
    const unknown = '01890000-0000-7000-8000-000000000000';
    const statuses: number[] = [];
    for (const [method, path, body] of [
      ['PATCH', `/v1/endpoints/${unknown}`, { name: 'x' }],
      ['PATCH', `/v1/endpoints/${other}`, { name: 'taken' }],
      ['PATCH', `/v1/endpoints/${other}`, { url: 'http://10.0.0.1/' }],
      ['POST', `/v1/endpoints/${id}/enable`, {}],
      ['POST', '/v1/endpoints', { application: 'none', name: 'taken', url }],
      ['DELETE', '/v1/retry-policies/unknown', undefined],
      ['PATCH', `/v1/endpoints/${id}`, {}],
      ['POST', '/v1/queues/resume?queue=never', undefined],
    ] as const) {
      statuses.push((await call(method, path, body)).status);
    }
    expect(statuses).toEqual([404, 409, 422, 200, 409, 404, 200, 204]);
    expect(await entries('')).toEqual(before);
  });

  it('makes each of several changes at once replace the state of the one before', async () => {
    const id = await createEndpoint(platform, { application: 'race', name: 'n' });
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        call('PATCH', `/v1/endpoints/${id}`, { timeoutMs: 1_000 + i }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 12 }, () => 200));
    const found = await entries(`target=${id}&action=endpoint.updated`);
    expect(new Set(found.map(({ after }) => after?.timeoutMs)).size).toBe(12);
    for (const [i, { before }] of found.slice(0, -1).entries()) {
      expect(before).toEqual(found[i + 1]?.after);
    }
    expect(found.at(-1)?.before).toMatchObject({ timeoutMs: 15_000 });
  });

  it('commits the change, its entry and its event together or not at all', async () => {
    const { db, log } = platform;
    const id = await createEndpoint(platform, { application: 'commit', name: 'kept' });
    const count = async (): Promise<unknown> => ({
      entries: (await entries('application=commit')).length,
      events: (
        await log.listEvents({ topics: ['audit'], from: 'beginning', limit: 1_000, within: 'all' })
      ).records.length,
    });
    const before = await count();
    await db.query(`
      create function fail_commit() returns trigger language plpgsql
        as $$ begin raise exception 'the commit fails'; end $$;
      create constraint trigger fail_commit after insert on gateway.audit
        deferrable initially deferred for each row execute function fail_commit()`);
    try {
      const changed = await call('PATCH', `/v1/endpoints/${id}`, { name: 'lost' });
      expect(changed.status).toBe(500);
      const made = await call('POST', '/v1/endpoints', { application: 'commit', name: 'm', url });
      expect([made.status, made.headers.location]).toEqual([500, undefined]);
    } finally {
      await db.query('drop function fail_commit cascade');
    }
    expect(await count()).toEqual(before);
    const list = await call<{ items: object[] }>('GET', '/v1/endpoints?application=commit');
    expect(list.json.items).toMatchObject([{ id, name: 'kept' }]);
  });

  it('is tried again when a migration has changed what a prepared statement returns', async () => {
    const { json } = await call<Created>('POST', '/v1/replays', { filter: { state: 'cancelled' } });
    const paths = [`/v1/replays/${json.id}`, '/v1/replays'];
    // Prepares the statements on every connection.
    for (let i = 0; i < 20; i += 1) await Promise.all(paths.map((path) => call('GET', path)));
    await platform.db.query('alter table callbacks.replay add column later integer');
    const cancelled = await call('POST', `${paths[0]}/cancel`);
    expect(cancelled, cancelled.body).toMatchObject({ status: 200, json: { state: 'cancelled' } });
    expect(await entries(`target=${json.id}&action=replay.cancelled`)).toHaveLength(1);
  });

  it('emits an event for each entry', async () => {
    const { log } = platform;
    const { records } = await log.listEvents({
      topics: ['audit'],
      from: 'beginning',
      limit: 1_000,
      within: 'all',
    });
    const emitted = records.map(({ value }) => JSON.parse(String(value)));
    const found = await entries('');
    expect(emitted.map(({ payload }) => payload.id).sort()).toEqual(
      found.map(({ id }) => id).sort(),
    );
    expect(emitted[0]).toMatchObject({ name: 'audit.recorded' });
  });

  it('shows callers of some applications the entries of these only', async () => {
    const scopes = ['audit:read'] as const;
    const bound = await platform.withKey({ name: 'b', scopes, applications: ['shown', 'race'] });
    const read = async (query: string) => {
      const { status, json } = await bound<{ items: EntryView[] }>('GET', `/v1/audit?${query}`);
      return { status, applications: [...new Set(json.items?.map((entry) => entry.application))] };
    };
    expect(await read('limit=500')).toEqual({ status: 200, applications: ['race', 'shown'] });
    expect(await read('application=shown')).toEqual({ status: 200, applications: ['shown'] });
    expect((await read('application=all')).status).toBe(403);
    expect((await bound('POST', '/v1/keys', {})).status).toBe(403);
    const writer = await platform.withKey({ name: 'w', scopes: ['endpoints:write'] });
    expect((await writer('GET', '/v1/audit')).status).toBe(403);
  });

  it('refuses filters and cursors that are not valid', async () => {
    for (const query of ['action=a*', 'cursor=x', 'actorKind=x', 'since=x', 'target=a%00', 'x=1']) {
      expect((await call('GET', `/v1/audit?${query}`)).status, query).toBe(422);
    }
  });

  it('leaves no secret in any entry or event, wherever callers put it', async () => {
    const used: string[] = [];
    const secret = (): string => {
      used.push(randomBytes(24).toString('base64url'));
      return used.at(-1) ?? '';
    };
    const given = (): string => {
      const text = randomBytes(32).toString('base64');
      used.push(text.replace(/=+$/, ''));
      return `whsec_${text}`;
    };
    for (let round = 0; round < 5; round += 1) {
      const names = ['authorization', 'x-api-key', 'x-anything', 'cookie'];
      const headers = () => Object.fromEntries(names.map((name) => [name, secret()]));
      const application = 'masked';
      const id = await createEndpoint(platform, {
        application,
        name: `e${round}`,
        url: `${url}?a=${secret()}&b=${secret()}`,
        headers: headers(),
        secret: given(),
      });
      const path = `/v1/endpoints/${id}`;
      await call('PATCH', path, { headers: headers(), url: `${url}?c=${secret()}` });
      await call('POST', `${path}/pause`, { reason: `see https://x.example/?t=${secret()}` });
      used.push((await call<{ secret: string }>('POST', `${path}/secrets`, {})).json.secret);
      await call('POST', `${path}/secrets`, { secret: given() });
      const filter = {
        properties: { a: { const: `Bearer ${secret()}` }, token: { const: secret() } },
      };
      await call('POST', '/v1/subscriptions', { endpointId: id, eventName: 'x', filter });
      const named = { application, name: `s${round}`, secret: given() };
      await call('POST', '/v1/secrets', named);
      const rotate = `/v1/secrets/s${round}/rotate?application=masked`;
      used.push(
        (await call<{ latest: { secret: string } }>('POST', rotate, {})).json.latest.secret,
      );
      const key = { name: `key ${round}`, scopes: ['queues:read'] };
      used.push((await call<{ token: string }>('POST', '/v1/keys', key)).json.token);
      const callback = await call<Created>('POST', '/v1/callbacks', {
        url: `${url}?k=${secret()}`,
        headers: headers(),
        text: secret(),
        deliverAfter: new Date(Date.now() + 3_600_000).toISOString(),
      });
      expect(callback.status, callback.body).toBe(201);
      await call('POST', `/v1/callbacks/${callback.json.id}/cancel`);
    }
    const { rows } = await platform.db.query<{ row: string }>(
      'select a::text as row from gateway.audit a',
    );
    const { records } = await platform.log.listEvents({
      topics: ['audit'],
      from: 'beginning',
      limit: 1_000,
      within: 'all',
    });
    const written = [...rows.map(({ row }) => row), ...records.map(({ value }) => String(value))];
    expect(rows.length).toBeGreaterThan(5 * 9);
    const all = written.join('\n');
    expect(used.filter((text) => text.length < 24 || all.includes(text))).toEqual([]);
  });
}

describe('audited changes, embedded', () => testOn('embedded'));
describeWithPostgres('audited changes, on Postgres', () => testOn('postgres'));

describe('a route that changes something', () => {
  const start = (config: object) =>
    testServer(
      {},
      {
        routes: [
          (app: App) => {
            app.post(
              '/things',
              { config: { scope: 'public', application: 'none', ...config } },
              () => ({}),
            );
          },
        ],
      },
    );

  it('keeps the server from starting unless it declares its change', async () => {
    await expect(start({})).rejects.toThrow(
      "POST /things does not declare what it changes; set config.audit to its action and target, or to 'none'",
    );
    await (await start({ audit: 'none' })).app.close();
  });
});
