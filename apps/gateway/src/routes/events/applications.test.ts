import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Answer, Call } from '../../../test/caller.js';
import { putDeadLetters } from '../../../test/dead-letters.js';
import { type Follower, follow } from '../../../test/follower.js';
import { type Engine, openTestEvents, type TestEvents } from '../../../test/test-events.js';
import { testKeys } from '../../../test/test-server.js';

const waitOptions = { timeout: 30_000 };

interface Page {
  readonly items: readonly {
    readonly name?: string;
    readonly group?: string;
    readonly topic?: string;
    readonly application?: string | null;
    readonly event?: { readonly name: string };
    readonly id?: string;
  }[];
  readonly next: string | null;
}

interface Problem {
  readonly code: string;
  readonly detail: string;
}

const keyOf = (id: string, applications: 'all' | readonly string[]) => ({
  id,
  name: id,
  scopes: ['events:read', 'events:write'] as const,
  applications,
});

const keys = {
  shop: keyOf('shop', ['shop']),
  game: keyOf('game', ['game']),
  both: keyOf('both', ['shop', 'game']),
  empty: keyOf('empty', ['']),
  all: keyOf('all', 'all'),
  auditor: { ...keyOf('auditor', ['shop']), scopes: ['events:read', 'audit:read'] as const },
};

type Key = keyof typeof keys;

describe.each<Engine>(['postgres', 'embedded'])('two applications on %s', (engine) => {
  const describeEngine = engine === 'postgres' ? describeWithPostgres : describe;
  describeEngine('a gateway with keys', () => {
    let gateway: TestEvents;
    let topics = 0;

    beforeAll(async () => {
      gateway = await openTestEvents({
        engine,
        deps: { keys: testKeys(keys) },
        environment: { POSTHASTE_ACCESS: 'keys', POSTHASTE_DEFAULT_APPLICATION: 'main' },
        config: {
          defaultApplication: 'main',
          maxReplays: 1,
          topicApplications: ['games.*=game'],
          groupApplications: ['shop-*=shop'],
        },
      });
    });
    afterAll(() => gateway.close());

    const as = (key: Key): Call => gateway.call.with({ authorization: `Bearer ${key}` });
    const newTopic = (): string => {
      topics += 1;
      return `topic-${topics}`;
    };
    const publish = (key: Key, body: unknown, query = ''): Promise<Answer<Problem>> =>
      as(key)('POST', `/v1/events${query}`, body);
    /** Returns the names of the events that a key reads. */
    const namesFor = async (key: Key, path: string): Promise<unknown> => {
      const { status, json } = await as(key)<Page & Problem>('GET', path);
      return status === 200 ? json.items.map(({ event, name }) => event?.name ?? name) : json.code;
    };
    /** Returns a topic in which each application has an event of its name, and some have none. */
    const fill = async (topic = newTopic()): Promise<string> => {
      await publish('shop', { topic, name: 'of.shop' });
      await publish('game', { topic, name: 'of.game' });
      await publish('all', { topic, name: 'of.main' });
      await publish('all', { topic, name: 'of.empty', application: '' });
      await gateway.db.transaction((tx) =>
        gateway.log.append(tx, [
          {
            topic,
            key: Buffer.from('k'),
            value: Buffer.from('{"id":"1","name":"of.none","namespace":"","version":1}'),
            headers: {},
          },
        ]),
      );
      return topic;
    };

    it('name the application of an event in the event, in the query, or not at all', async () => {
      const topic = newTopic();
      const event = { topic, name: 'placed' };
      const cloud = { specversion: '1.0', id: 'c', source: '/x', type: 'cloud', topic };
      const published: readonly [Key, object, string, string][] = [
        ['shop', event, '', 'shop'],
        ['both', { ...event, application: 'game' }, '', 'game'],
        ['both', { ...event, application: 'game' }, '?application=shop', 'game'],
        ['both', event, '?application=shop', 'shop'],
        ['all', event, '', 'main'],
        ['all', { ...event, application: '' }, '', ''],
        ['all', event, '?application=', ''],
        ['all', event, '?application=n%C3%A9w', 'néw'],
        ['both', { ...cloud, posthasteapplication: 'game' }, '', 'game'],
        ['shop', cloud, '', 'shop'],
      ];
      for (const [key, body, query] of published) {
        expect((await publish(key, body, query)).status).toBe(201);
      }
      const binary = as('both').with({
        ...{ 'ce-specversion': '1.0', 'ce-id': 'b', 'ce-source': '/x', 'ce-type': 'cloud' },
        ...{ 'ce-topic': topic, 'ce-posthasteapplication': 'n%C3%A9w' },
      });
      const foreign = await binary<Problem>('POST', '/v1/events', {});
      expect([foreign.status, foreign.json.code]).toEqual([403, 'APPLICATION_FORBIDDEN']);
      const own = await binary.with({ 'ce-posthasteapplication': 'game' })(
        'POST',
        '/v1/events',
        {},
      );
      expect(own.status).toBe(201);
      const { json, body } = await as('all')<Page>('GET', `/v1/events?topic=${topic}`);
      expect(json.items.map(({ application }) => application).toSorted()).toEqual(
        [...published.map(([, , , application]) => application), 'game'].toSorted(),
      );
      for (const { event: stored } of json.items) {
        expect(JSON.stringify(stored)).not.toMatch(/posthaste.?application|"application"/);
      }
      expect(body).not.toContain('posthasteapplication');
    });

    it('are refused an application that is not theirs, and asked for one if they have several', async () => {
      const event = { topic: newTopic(), name: 'placed' };
      const foreign = [
        await publish('shop', { ...event, application: 'game' }),
        await publish('shop', event, '?application=game'),
        await publish('shop', { ...event, application: 'not-existing' }),
        await publish('shop', { topic: 'games.today', name: 'placed' }),
      ];
      for (const { status, json } of foreign) {
        expect([status, json.code]).toEqual([403, 'APPLICATION_FORBIDDEN']);
      }
      expect(foreign[0]?.json.detail.replace('game', 'not-existing')).toBe(foreign[2]?.json.detail);
      const several = await publish('both', event);
      expect([several.status, several.json.code]).toEqual([422, 'APPLICATION_REQUIRED']);
      const { json } = await as('shop')<{ items: { status: number; problem?: Problem }[] }>(
        'POST',
        '/v1/events',
        [event, { ...event, application: 'game' }, { ...event, application: 'shop' }],
      );
      expect(json.items.map(({ status, problem }) => problem?.code ?? status)).toEqual([
        ...[201, 'APPLICATION_FORBIDDEN', 201],
      ]);
      expect((await publish('all', { ...event, application: 'a\nb' })).status).toBe(422);
      expect((await publish('all', { ...event, application: 7 })).status).toBe(422);
    });

    it('have ids and Idempotency-Keys of their own', async () => {
      const topic = newTopic();
      const send = async (key: Key, body: object) => {
        const call = as(key).with({ 'idempotency-key': 'k' });
        const { status, headers } = await call('POST', '/v1/events', body);
        return [status, headers['idempotent-replayed']];
      };
      const event = { topic, name: 'placed', id: 'e1' };
      expect(await send('shop', event)).toEqual([201, undefined]);
      expect(await send('game', event)).toEqual([201, undefined]);
      expect(await send('shop', event)).toEqual([201, 'true']);
      const other = await publish('game', { ...event, payload: { other: true } });
      expect(other.json.code).toBe('EVENT_ID_REUSED');
      expect(await namesFor('shop', `/v1/events?topic=${topic}`)).toEqual(['placed']);
    });

    it('read their own events only, whatever the filter, the page and the cursor', async () => {
      const topic = await fill();
      const path = `/v1/events?topic=${topic}`;
      expect(await namesFor('shop', path)).toEqual(['of.shop']);
      expect(await namesFor('game', `${path}&name=of.*`)).toEqual(['of.game']);
      expect(await namesFor('game', `${path}&name=of.shop`)).toEqual([]);
      expect(await namesFor('both', path)).toHaveLength(2);
      expect(await namesFor('both', `${path}&application=game`)).toEqual(['of.game']);
      expect(await namesFor('shop', `${path}&application=game`)).toBe('APPLICATION_FORBIDDEN');
      expect(await namesFor('all', path)).toHaveLength(5);
      expect(await namesFor('all', `${path}&application=game`)).toEqual(['of.game']);
      expect(await namesFor('empty', path)).toEqual(['of.empty']);
      const page = await as('game')<Page>('GET', `${path}&limit=1`);
      expect(await namesFor('shop', `${path}&cursor=${page.json.next}`)).toBeInstanceOf(Array);
      await publish('shop', { topic, name: 'later.shop' });
      expect(await namesFor('shop', `${path}&cursor=${page.json.next}`)).toContain('later.shop');
      expect(await namesFor('shop', `${path}&cursor=garbage`)).toBe('REQUEST_INVALID');
    });

    it('do not find topics of others, exactly as if they did not exist', async () => {
      const topic = newTopic();
      await publish('game', { topic, name: 'of.game' });
      await publish('game', { topic: 'games.one', name: 'of.game' });
      const paths = ['/v1/events', '/v1/events/groups', '/v1/events/dead-letters'];
      for (const path of paths) {
        const missing = await as('shop')<Problem>('GET', `${path}?topic=missing`);
        expect([path, missing.status]).toEqual([path, 404]);
        for (const hidden of [topic, 'games.one']) {
          const answer = await as('shop')<Problem>('GET', `${path}?topic=${hidden}`);
          expect(answer.status).toBe(404);
          expect(answer.json.detail.replace(hidden, 'missing')).toBe(missing.json.detail);
        }
      }
      const cursor = await as('shop')<Problem>('GET', `/v1/events/topics?cursor=${topic}`);
      const unknown = await as('shop')<Problem>('GET', '/v1/events/topics?cursor=missing');
      expect([cursor.status, cursor.json.detail]).toEqual([422, unknown.json.detail]);
      expect(await namesFor('shop', '/v1/events/topics?limit=500')).not.toContain(topic);
      expect(await namesFor('shop', '/v1/events/topics?limit=500')).not.toContain('games.one');
      expect(await namesFor('game', '/v1/events/topics?limit=500')).toEqual(
        expect.arrayContaining([topic, 'games.one']),
      );
      const narrowed = await namesFor('all', '/v1/events/topics?limit=500&application=shop');
      expect(narrowed).not.toContain(topic);
    });

    it('list the groups that are mapped to them, or to whose topic one is', async () => {
      const topic = await fill();
      for (const [name, groupId] of [
        [topic, 'shop-mail'],
        [topic, 'posthaste.relay'],
        ['games.groups', 'anything'],
      ] as const) {
        await gateway.log.ensureGroup({ topic: name, groupId }, 0n);
      }
      const groupsFor = async (key: Key) => {
        const { json } = await as(key)<Page>('GET', '/v1/events/groups?limit=500');
        return json.items.map(({ topic: of, group }) => `${of} ${group}`);
      };
      expect(await groupsFor('shop')).toEqual([`${topic} shop-mail`]);
      expect(await groupsFor('game')).toEqual(['games.groups anything']);
      expect(await groupsFor('empty')).toEqual([]);
      expect(await groupsFor('all')).toHaveLength(3);
    });

    it('see and replay their own dead letters only', async () => {
      const topic = newTopic();
      await putDeadLetters(gateway, [
        { topic, name: 'shop.1', application: 'shop' },
        { topic, name: 'game.1', application: 'game' },
        { topic, name: 'main.1', application: 'main' },
        { topic, name: 'none.1' },
      ]);
      await publish('shop', { topic, name: 'first' });
      const path = `/v1/events/dead-letters?topic=${topic}`;
      expect(await namesFor('shop', path)).toEqual(['shop.1']);
      expect(await namesFor('game', path)).toEqual(['game.1']);
      expect(await namesFor('empty', path)).toBe('TOPIC_NOT_FOUND');
      expect(await namesFor('all', path)).toHaveLength(4);
      expect(await namesFor('all', `${path}&application=main`)).toEqual(['main.1']);
      const replays = '/v1/events/dead-letters/replays';
      const replay = async (key: Key, more = {}): Promise<Answer<Problem & { id: string }>> =>
        as(key)('POST', replays, { topic, ratePerSecond: 10_000, ...more });
      const isDone = async (id: string): Promise<unknown> =>
        (await as('all')<{ state: string }>('GET', `${replays}/${id}`)).json.state;
      expect((await replay('empty')).json.code).toBe('TOPIC_NOT_FOUND');
      expect((await replay('both')).json.code).toBe('APPLICATION_REQUIRED');
      expect((await replay('shop', { application: 'game' })).json.code).toBe(
        'APPLICATION_FORBIDDEN',
      );
      const own = await replay('shop');
      expect(own).toMatchObject({ status: 201, json: { application: 'shop' } });
      await expect.poll(() => isDone(own.json.id), waitOptions).toBe('done');
      const read = `/v1/events?topic=${topic}`;
      expect(await namesFor('all', read)).toEqual(expect.arrayContaining(['first', 'shop.1']));
      expect(await namesFor('all', read)).toHaveLength(2);
      // Those of nobody go with the default application, for a key for all.
      const main = await replay('all');
      await expect.poll(() => isDone(main.json.id), waitOptions).toBe('done');
      expect(await namesFor('all', read)).toHaveLength(4);
      expect(await namesFor('shop', read)).toHaveLength(2);
    });

    it('do not find the replays of others, and have a limit each', async () => {
      const topic = newTopic();
      await putDeadLetters(gateway, [
        ...Array.from({ length: 5 }, (_, i) => ({ topic, name: `s${i}`, application: 'shop' })),
        { topic, name: 'g', application: 'game' },
      ]);
      const replays = '/v1/events/dead-letters/replays';
      const replay = (key: Key) =>
        as(key)<Problem & { id: string }>('POST', replays, { topic, ratePerSecond: 1 });
      const { json } = await replay('shop');
      const over = await replay('shop');
      expect([over.status, over.json.code]).toEqual([429, 'REPLAY_LIMIT_REACHED']);
      expect((await replay('game')).status).toBe(201);
      const answers = [
        await as('game')<Problem>('GET', `${replays}/${json.id}`),
        await as('game')<Problem>('POST', `${replays}/${json.id}/cancel`),
      ];
      for (const { status, json: problem } of answers) {
        expect([status, problem.code]).toEqual([404, 'REPLAY_NOT_FOUND']);
      }
      const idsFor = async (key: Key) =>
        (await as(key)<Page>('GET', replays)).json.items.map(({ id }) => id);
      expect(await idsFor('game')).not.toContain(json.id);
      expect(await idsFor('empty')).toEqual([]);
      expect(await idsFor('both')).toContain(json.id);
      const cancelled = await as('both')('POST', `${replays}/${json.id}/cancel`);
      expect(cancelled.json).toMatchObject({ state: 'cancelled' });
    });

    it('read the audit log with the scope of the audit log only', async () => {
      const value = Buffer.from(
        '{"id":"1","name":"audit.recorded","namespace":"shop","version":1}',
      );
      const log = { key: Buffer.from('k'), value, application: 'shop', headers: {} };
      await gateway.db.transaction((tx) =>
        gateway.log.append(tx, [
          { topic: 'audit', ...log },
          { topic: 'audit.dlq', ...log },
        ]),
      );
      const letters = '/v1/events/dead-letters';
      const paths = [
        '/v1/events?topic=audit',
        `/v1/events?topic=${await fill()},audit`,
        '/v1/events?topic=audit.dlq',
        `${letters}?topic=audit`,
      ];
      for (const path of paths) {
        expect(await namesFor('auditor', path)).toContain('audit.recorded');
        for (const key of ['shop', 'all'] as const) {
          expect(await namesFor(key, path)).toBe('SCOPE_MISSING');
        }
      }
      expect(await namesFor('auditor', letters)).toContain('audit.recorded');
      expect(await namesFor('shop', letters)).not.toContain('audit.recorded');
      const accept = { accept: 'text/event-stream', authorization: 'Bearer shop' };
      const stream = await gateway.app.inject({ url: '/v1/events?topic=audit', headers: accept });
      expect(stream.statusCode).toBe(403);
    });

    it('follow their own events only', async () => {
      const topic = await fill();
      const base = await gateway.app.listen({ host: '127.0.0.1', port: 0 });
      const followAs = (key: Key, query = ''): Promise<Follower> =>
        follow(`${base}/v1/events?topic=${topic}&from=beginning${query}`, {
          authorization: `Bearer ${key}`,
        });
      const [shop, both, all, hidden] = await Promise.all([
        followAs('shop'),
        followAs('both', '&application=game'),
        followAs('all'),
        follow(`${base}/v1/events?topic=games.one`, { authorization: 'Bearer shop' }),
      ]);
      await publish('game', { topic, name: 'later.game' });
      await publish('shop', { topic, name: 'later.shop' });
      await expect.poll(() => shop.names(), waitOptions).toEqual(['of.shop', 'later.shop']);
      await expect.poll(() => both.names(), waitOptions).toEqual(['of.game', 'later.game']);
      await expect.poll(() => all.names(), waitOptions).toHaveLength(7);
      expect(hidden.response.status).toBe(404);
      for (const each of [shop, both, all, hidden]) each.leave();
    });
  });
});
