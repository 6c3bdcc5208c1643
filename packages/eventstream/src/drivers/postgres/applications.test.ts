import { type Applications, applicationHeader, parseApplicationRules } from '@posthaste/contracts';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { append, openTestLog, recordOf, type TestLog, valuesOf } from '../../../test/open-log.js';
import { commitAll, RecordingHandler } from '../../../test/recording-handler.js';
import { offsetBeginning } from '../../driver.js';
import { parseTopicRules } from '../../rules/topic-name.js';
import type { LogRecord } from './append/append.js';
import { createPostgresDriver } from './postgres-driver.js';
import { PostgresLog } from './postgres-log.js';
import type { EventQuery } from './read/event-pages.js';
import { removeTopicApplications } from './storage/topic-access.js';

const waitOptions = { timeout: 20_000 };

function named(value: string, application: string, topic = 'orders'): LogRecord {
  return { ...recordOf(value, 'k', topic), headers: { [applicationHeader]: application } };
}

describe.each(['postgres', 'embedded'] as const)('applications of records on %s', (engine) => {
  const describeEngine = engine === 'postgres' ? describeWithPostgres : describe;
  describeEngine('a log', () => {
    let test: TestLog;
    /** Log with rules, as a gateway has it. */
    let ruled: PostgresLog;

    beforeEach(async () => {
      test = await openTestLog(engine);
      ruled = new PostgresLog({
        db: test.db,
        topicRules: parseTopicRules(['game.*=game', 'stock=shop']),
        groupRules: parseApplicationRules(['shop-*=shop']),
      });
    });
    afterEach(async () => {
      await ruled.close();
      await test.close();
    });

    const valuesFor = async (
      within: Applications,
      query: Partial<EventQuery> = {},
    ): Promise<string[]> =>
      valuesOf((await ruled.listEvents({ topics: ['orders'], ...query, within })).records);

    it('are a header that every reader gets back, whatever other headers there are', async () => {
      const raw = [
        { name: 'twice', value: Buffer.from('1') },
        { name: 'twice', value: Buffer.from([255]) },
        { name: applicationHeader, value: Buffer.from('shop') },
      ];
      const headers = { ce_type: 'placed', [applicationHeader]: 'größe 1' };
      await append(
        test,
        { ...recordOf('a', 'k'), headers },
        { ...recordOf('b', 'k'), headers: {}, rawHeaders: raw },
        named('c', ''),
        { ...recordOf('d', 'k'), application: 'shop' },
        named('e', 'x'.repeat(257)),
        recordOf('f', 'k'),
      );
      const expected = [
        headers,
        { twice: '\u{fffd}', [applicationHeader]: 'shop' },
        { [applicationHeader]: '' },
        { [applicationHeader]: 'shop' },
        { [applicationHeader]: 'x'.repeat(257) },
        {},
      ];
      const { records } = await test.log.listEvents({ within: 'all', topics: ['orders'] });
      expect(records.map((record) => record.headers)).toEqual(expected);
      expect(records[1]?.rawHeaders).toEqual(raw);
      const { rows } = await test.db.query<{ application: string | null }>(
        'select application from eventstream.record order by "offset"',
      );
      expect(rows.map(({ application }) => application)).toEqual([
        ...['größe 1', 'shop', '', 'shop'],
        ...[null, null],
      ]);
      const driver = createPostgresDriver(test.log);
      const handler = new RecordingHandler();
      const request = { topic: 'orders', groupId: 'g', groupInstanceId: undefined, drainMs: 0 };
      const subscription = driver.subscribe({ ...request, startOffset: offsetBeginning }, handler);
      await expect.poll(() => handler.values, waitOptions).toHaveLength(6);
      expect(handler.received.map((record) => record.headers)).toEqual(expected);
      await commitAll(subscription, handler);
      await driver.close();
    });

    it('decide who reads them in a shared topic, on bounded pages and with any filter', async () => {
      await append(test, recordOf('none', 'k'));
      for (let i = 0; i < 5; i += 1) await append(test, named(`s${i}`, 'shop'), named('g', 'game'));
      expect(await valuesFor(['shop'])).toEqual(['s0', 's1', 's2', 's3', 's4']);
      expect(await valuesFor(['shop'], { limit: 2 })).toEqual(['s0', 's1']);
      expect(await valuesFor(['shop'], { key: Buffer.from('k') })).toHaveLength(5);
      expect(await valuesFor(['shop', 'game'])).toHaveLength(10);
      expect(await valuesFor('all')).toHaveLength(11);
      expect(await valuesFor(['shop'], { withUnnamed: true })).toHaveLength(6);
      // A cursor has no power: positions, in the topics of the request.
      const page = await ruled.listEvents({ within: ['game'], topics: ['orders'], limit: 2 });
      expect(await valuesFor(['shop'], { cursor: page.next })).toEqual(['s2', 's3', 's4']);
    });

    it('see a shared topic once they have published to it, and else no trace of it', async () => {
      await append(test, named('a', 'shop'), named('b', 'game', 'scores'));
      expect(await ruled.listTopics(['shop'])).toEqual(['orders']);
      expect(await ruled.listTopics(['game', 'shop'])).toEqual(['orders', 'scores']);
      expect(await ruled.listTopics(['other'])).toEqual([]);
      const refusals = await Promise.all(
        ['scores', 'missing'].map((topic) =>
          ruled.listEvents({ within: ['shop'], topics: ['orders', topic] }).catch(String),
        ),
      );
      const [hidden = '', missing = ''] = refusals.map(String);
      expect(hidden.replaceAll('scores', 'missing')).toBe(missing);
      expect(hidden).toContain("topic 'scores' does not exist");
      await append(test, named('c', 'shop', 'scores'));
      expect(await valuesFor(['shop'], { topics: ['scores'] })).toEqual(['c']);
    });

    it('have the topics that a rule maps to them for themselves, with dead letters and retries', async () => {
      const topics = ['game.a', 'game.a.dlq', 'stock', 'stock.mail.retry.1', 'stock.dlq'];
      for (const topic of topics) await append(test, recordOf(topic, 'k', topic));
      await append(test, named('of game', 'game', 'stock'));
      expect(await ruled.listTopics(['game'])).toEqual(['game.a', 'game.a.dlq']);
      expect(await ruled.listTopics(['shop'])).toEqual([
        ...['stock', 'stock.dlq', 'stock.mail.retry.1'],
      ]);
      // Records that name no application belong to the one of the topic; others never do.
      expect(await valuesFor(['shop'], { topics: ['stock'] })).toEqual(['stock']);
      await expect(valuesFor(['game'], { topics: ['stock'] })).rejects.toMatchObject({
        code: 'TOPIC_NOT_FOUND',
      });
      expect(await valuesFor('all', { topics: ['stock'] })).toEqual(['stock', 'of game']);
      expect(ruled.isForeignTopic('stock', ['game'])).toBe(true);
      expect(ruled.isForeignTopic('stock', ['shop'])).toBe(false);
      expect(ruled.isForeignTopic('orders', ['shop'])).toBe(false);
    });

    it('see the topics of the platform, and their own records in them', async () => {
      await append(test, named('a', 'shop', 'callbacks'), named('b', 'game', 'callbacks'));
      expect(await ruled.listTopics(['shop'])).toEqual(['callbacks']);
      expect(await valuesFor(['shop'], { topics: ['callbacks'] })).toEqual(['a']);
      const { rows } = await test.db.query('select from eventstream.topic_application');
      expect(rows).toEqual([]);
    });

    it('see the groups that a rule maps to them, or to whose topic one does', async () => {
      for (const topic of ['orders', 'stock', 'game.a']) {
        await append(test, recordOf('a', 'k', topic));
        for (const groupId of ['shop-mail', 'other']) {
          await test.log.ensureGroup({ topic, groupId }, offsetBeginning);
        }
      }
      const groupsFor = async (within: Applications, cursor?: string) => {
        const { groups } = await ruled.listGroups({ within, cursor });
        return groups.map(({ topic, groupId }) => `${topic} ${groupId}`);
      };
      expect(await groupsFor('all')).toHaveLength(6);
      expect(await groupsFor(['shop'])).toEqual([
        ...['orders shop-mail', 'stock other', 'stock shop-mail'],
      ]);
      expect(await groupsFor(['game'])).toEqual(['game.a other']);
      expect(await groupsFor(['nobody'])).toEqual([]);
      const first = await ruled.listGroups({ within: ['shop'], limit: 1 });
      expect(first.groups).toHaveLength(1);
      expect(await groupsFor(['shop'], first.next)).toEqual(['stock other', 'stock shop-mail']);
      const all = await ruled.listGroups({ within: 'all', limit: 1 });
      expect(await groupsFor(['game'], all.next)).toEqual([]);
    });

    it('are stored once for each topic, without a statement for records that follow', async () => {
      await append(test, named('a', 'shop'));
      await append(test, named('b', 'shop'));
      const queries = vi.spyOn(test.db, 'transaction');
      await test.db.transaction(async (tx) => {
        const own = vi.spyOn(tx, 'query');
        await test.log.append(tx, [named('c', 'shop'), named('d', 'shop')]);
        expect(own).toHaveBeenCalledTimes(1);
      });
      queries.mockRestore();
      const { rows } = await test.db.query('select application from eventstream.topic_application');
      expect(rows).toEqual([{ application: 'shop' }]);
    });

    it('see no topic any more once they are removed, and again when they publish', async () => {
      await append(test, named('a', 'shop'), named('b', 'game'));
      expect(await removeTopicApplications(test.db, 'shop')).toBe(1);
      expect(await ruled.listTopics(['shop'])).toEqual([]);
      expect(await ruled.listTopics(['game'])).toEqual(['orders']);
      const other = new PostgresLog({ db: test.db });
      await test.db.transaction((tx) => other.append(tx, [named('c', 'shop')]));
      expect(await ruled.listTopics(['shop'])).toEqual(['orders']);
      await other.close();
    });

    it('are not stored by a transaction that is rolled back, however often it appends', async () => {
      await append(test, recordOf('first', 'k'));
      const failed = test.db.transaction(async (tx) => {
        await test.log.append(tx, [named('a', 'shop')]);
        await test.log.append(tx, [named('b', 'shop')]);
        throw new Error('rolled back');
      });
      await expect(failed).rejects.toThrow('rolled back');
      await expect(valuesFor(['shop'])).rejects.toMatchObject({ code: 'TOPIC_NOT_FOUND' });
      await append(test, named('c', 'shop'));
      expect(await valuesFor(['shop'])).toEqual(['c']);
    });

    it('are appended by statements of others, and by the driver', async () => {
      const { appendFunction, shardOf } = await test.log.inStatement('orders');
      await test.db.query(
        `select ${appendFunction}(array[$1::int], array['placed'], array['k'],
           array['{"id":"1","name":"placed","namespace":""}'], array[null], array['shop'])`,
        [shardOf('k')],
      );
      const driver = createPostgresDriver(test.log);
      const records = [named('by driver', 'shop')];
      await driver.append({ topic: 'orders', partition: 0, records, timeoutMs: 5_000 });
      await driver.close();
      const { records: stored } = await ruled.listEvents({ within: ['shop'], topics: ['orders'] });
      expect(stored.map(({ headers }) => headers[applicationHeader])).toEqual(['shop', 'shop']);
      expect(stored[0]?.headers).toMatchObject({ ce_id: '1', ce_type: 'placed' });
    });
  });
});

describeWithPostgres('expressions of rules in Postgres', () => {
  it('match what they match in JavaScript', async () => {
    const test = await openTestLog('postgres');
    const rules = parseTopicRules(['a.b=', 'a.*=x', 'a(b)[c]\\=y', 'b*=x', '**=z'.slice(1)]);
    const names = ['a.b', 'a.c', 'a.', 'axb', 'a(b)[c]\\', 'b', 'bx.dlq', 'c', '', 'a.b.dlq'];
    for (const within of [['x'], ['y'], ['z'], ['', 'y'], ['none']]) {
      const owned = rules.ownedBy(within);
      const { rows } = await test.db.query<{ matches: boolean | null }>(
        'select name ~ $2 as matches from unnest($1::text[]) with ordinality as n(name, i) order by i',
        [names, owned],
      );
      expect(rows.map(({ matches }) => matches === true)).toEqual(
        names.map((name) => within.includes(rules.ownerOf(name) ?? 'nobody')),
      );
    }
    await test.close();
  });
});
