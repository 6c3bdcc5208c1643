import { setTimeout as sleep } from 'node:timers/promises';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { putDeadLetters } from '../test/dead-letters.js';
import { openTestEvents, type TestEvents } from '../test/test-events.js';
import { testKeys } from '../test/test-server.js';

interface Operation {
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly description: string;
  readonly requestBody?: { readonly content: Readonly<Record<string, unknown>> };
  readonly responses: Readonly<
    Record<string, { readonly description: string; readonly content?: object }>
  >;
}

interface Document {
  readonly components: { readonly schemas: Readonly<Record<string, { properties?: object }>> };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

type Method = 'GET' | 'POST';

const waitOptions = { timeout: 10_000 };

describeWithPostgres('the routes of events', () => {
  let gateway: TestEvents;
  let document: Document;
  let operations: (Operation & { method: Method; path: string })[];
  const withKey = (key: string) => gateway.call.with({ authorization: `Bearer ${key}` });

  beforeAll(async () => {
    const keys = testKeys({
      nothing: { id: '1', name: 'nothing', scopes: [] },
      reader: { id: '2', name: 'reader', scopes: ['events:read'] },
      writer: { id: '3', name: 'writer', scopes: ['events:write'] },
    });
    gateway = await openTestEvents({ deps: { keys }, environment: { POSTHASTE_ACCESS: 'keys' } });
    document = (await gateway.call<Document>('GET', '/openapi.json')).json;
    operations = Object.entries(document.paths)
      .filter(([path]) => path.startsWith('/v1/events'))
      .flatMap(([path, methods]) =>
        Object.entries(methods)
          // The validation request of webhook senders needs no key: webhook-handshake.test.ts.
          .filter(([method]) => method !== 'options')
          .map(([method, operation]) => ({
            ...operation,
            method: method.toUpperCase() as Method,
            path,
          })),
      );
  });
  afterAll(() => gateway.close());

  it('each require a key with the right scope', async () => {
    expect(operations).toHaveLength(9);
    for (const { method, path } of operations) {
      const missing = await gateway.call(method, path);
      expect(missing, path).toMatchObject({ status: 401, json: { code: 'KEY_MISSING' } });
      const weak = await withKey('nothing')(method, path);
      expect(weak, path).toMatchObject({ status: 403, json: { code: 'SCOPE_MISSING' } });
      const other = await withKey(method === 'GET' ? 'writer' : 'reader')(method, path);
      expect(other, path).toMatchObject({ status: 403, json: { code: 'SCOPE_MISSING' } });
      const right = await withKey(method === 'GET' ? 'reader' : 'writer')(method, path);
      expect([401, 403], path).not.toContain(right.status);
    }
  });

  it('are each described with purpose, scope and errors', () => {
    for (const { method, path, summary, tags, description, responses } of operations) {
      const name = `${method} ${path}`;
      expect(summary, name).toBeTruthy();
      expect(tags, name).toHaveLength(1);
      expect(description, name).toMatch(/Needs the scope `events:(?:read|write)`\./);
      expect(Object.keys(responses), name).toContain('default');
      for (const response of Object.values(responses)) {
        expect(response.description, name).not.toBe('Default Response');
      }
    }
  });

  it('describe requests and answers under names, by media type', () => {
    const { schemas } = document.components;
    for (const name of ['NewEvent', 'CloudEvent', 'PublishedEvent', 'Event', 'ConsumerGroup']) {
      expect(Object.keys(schemas[name]?.properties ?? {}), name).not.toEqual([]);
    }
    const { post, get } = document.paths['/v1/events'] ?? {};
    expect(Object.keys(post?.requestBody?.content ?? {})).toEqual([
      'application/json',
      'application/cloudevents+json',
      'application/cloudevents-batch+json',
      // A CloudEvent in binary mode has data of any type.
      '*/*',
    ]);
    expect(Object.keys(get?.responses['200']?.content ?? {})).toEqual([
      'application/json',
      'text/event-stream',
    ]);
    const references = JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g);
    for (const [, name = ''] of references) expect(schemas).toHaveProperty(name);
  });
});

describeWithPostgres('the maintenance of events', () => {
  const rowsOf = async ({ db }: TestEvents, table: string): Promise<number> =>
    (await db.query(`select from event_log.${table}`)).rowCount;

  it('forgets claims after the retention', async () => {
    const gateway = await openTestEvents({ config: { idempotencyMs: 500, pollMs: 20 } });
    onTestFinished(() => gateway.close());
    const event = { topic: 't', name: 'a', id: 'e1' };
    const call = gateway.call.with({ 'idempotency-key': 'k' });
    const publish = () => call('POST', '/v1/events', event);
    await publish();
    expect((await publish()).headers).toHaveProperty('idempotent-replayed');
    expect(await rowsOf(gateway, 'event_claim')).toBe(2);
    await sleep(700);
    const later = gateway.another();
    await expect.poll(() => rowsOf(gateway, 'event_claim'), waitOptions).toBe(0);
    expect((await publish()).headers).not.toHaveProperty('idempotent-replayed');
    await later.close();
  });

  it('forgets replays of dead letters that are no longer in the log', async () => {
    const gateway = await openTestEvents({ config: { pollMs: 20 } });
    onTestFinished(() => gateway.close());
    await putDeadLetters(gateway, [{ name: 'a' }, { name: 'b' }]);
    await gateway.call('POST', '/v1/events/dead-letters/replays', { topic: 'orders' });
    await expect.poll(() => rowsOf(gateway, 'replayed_dead_letter'), waitOptions).toBe(2);
    await gateway.db.query(
      `update event_log.replayed_dead_letter set replayed_at = now() - interval '10 days'
       where "offset" = 0`,
    );
    const other = gateway.another();
    await expect.poll(() => rowsOf(gateway, 'replayed_dead_letter'), waitOptions).toBe(1);
    await other.close();
  });

  it('warns of a failed pass, and tries again', async () => {
    const warnings: string[] = [];
    const logger = { warn: (_fields: object, message: string) => void warnings.push(message) };
    const gateway = await openTestEvents({ config: { pollMs: 20 }, logger });
    onTestFinished(() => gateway.close());
    await gateway.db.query('alter table event_log.dead_letter_replay rename to elsewhere');
    await expect.poll(() => warnings, waitOptions).toHaveLength(1);
    expect(warnings[0]).toMatch(/^the maintenance of the event log failed/);
    await gateway.db.query('alter table event_log.elsewhere rename to dead_letter_replay');
    await putDeadLetters(gateway, [{ name: 'a' }]);
    await gateway.call('POST', '/v1/events/dead-letters/replays', { topic: 'orders' });
    await expect.poll(() => rowsOf(gateway, 'replayed_dead_letter'), waitOptions).toBe(1);
  });
});
