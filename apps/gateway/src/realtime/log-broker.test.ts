import { parseChannel } from '@posthaste/appsync-server';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { batchOf, idsIn, openTestBrokers, type TestBrokers } from '../../test/test-brokers.js';
import { realtimeTopic } from './batch-record.js';

const wait = { timeout: 30_000 };

describe.each(['postgres', 'embedded'] as const)('the broker on %s', (engine) => {
  const describeEngine = engine === 'postgres' ? describeWithPostgres : describe;
  describeEngine('of several gateways', () => {
    let test: TestBrokers;
    beforeEach(async () => {
      test = await openTestBrokers(engine);
    });
    afterEach(() => test.close());

    it('delivers every stored batch once on each node, in one order, with growing positions', async () => {
      const [a, b] = [await test.start(), await test.start()];
      const appends = Array.from({ length: 400 }, (_, i) => {
        const { broker } = i % 2 === 0 ? a : b;
        return broker.append(batchOf('/default/room', [`${i}`, `${i}+`]));
      });
      await Promise.all(appends);
      await expect.poll(() => [a.delivered.length, b.delivered.length], wait).toEqual([400, 400]);
      expect(a.delivered).toEqual(b.delivered);
      const positions = a.delivered.map(({ position = -1n }) => position);
      expect(positions).toEqual(positions.toSorted((x, y) => (x < y ? -1 : 1)));
      expect(new Set(positions).size).toBe(400);
      const even = idsIn(a.delivered)?.filter((id) => Number(id) % 2 === 0 && !id.endsWith('+'));
      expect(even).toEqual(Array.from({ length: 200 }, (_, i) => `${i * 2}`));
      expect(a.broker.position).toBeGreaterThan(positions.at(-1) ?? 0n);
    });

    it('delivers the batches of a publisher only after it was answered', async () => {
      const { broker, delivered } = await test.start();
      for (let i = 0; i < 50; i += 1) {
        await broker.append(batchOf('/default/room', [`${i}`]));
        expect(idsIn(delivered)).not.toContain(`${i}`);
      }
      await expect.poll(() => delivered.length, wait).toBe(50);
    });

    it('brings a batch that is not stored to the other nodes only, without a position', async () => {
      const [a, b] = [await test.start(), await test.start()];
      a.broker.broadcast(batchOf('/default/room', ['loose']));
      await expect.poll(() => idsIn(b.delivered), wait).toEqual(['loose']);
      expect(b.delivered[0]?.position).toBeUndefined();
      await a.broker.append(batchOf('/default/room', ['stored']));
      await expect.poll(() => idsIn(a.delivered), wait).toEqual(['stored']);
      const channel = batchOf('/default/room', []).channel;
      const question = { realm: 'shop', channel, after: 0n, before: a.broker.position };
      expect(idsIn(await a.broker.findMissed({ ...question, maxEvents: 9 }))).toEqual(['stored']);
    });

    it('has room for other applications while one has much waiting', async () => {
      const { broker, delivered } = await test.start();
      const large = 'x'.repeat(120_000);
      const publish = () => broker.append(batchOf('/default/a', [`a${large}`, `b${large}`]));
      const appends = Array.from({ length: 12 }, publish);
      expect(() => broker.waiting.requireLeft('shop')).toThrow('too many events waiting');
      broker.waiting.requireLeft('game');
      await broker.append(batchOf('/default/a', ['1'], 'game'));
      await Promise.all(appends);
      broker.waiting.requireLeft('shop');
      await expect.poll(() => idsIn(delivered)?.length, wait).toBe(25);
    });

    it('stores a publish that is larger than a record, and refuses an event that is', async () => {
      const { broker, delivered } = await test.start();
      const publish = (events: string[]) => {
        const batch = batchOf('/default/a', []);
        return broker.append({
          ...batch,
          events: events.map((event, id) => ({ id: `${id}`, event })),
        });
      };
      const event = JSON.stringify('x'.repeat(245_000));
      await publish([event, event, event, event, event]);
      // Of three bytes for a character, and as large as a publish may be.
      const wide = JSON.stringify('語'.repeat(79_000));
      await publish([wide, wide, wide, wide, wide]);
      const tooLarge = publish([JSON.stringify('x'.repeat(1_048_576))]);
      await expect(tooLarge).rejects.toMatchObject({ errorType: 'BadRequestException' });
      const ids = ['0', '1', '2', '3', '4'];
      await expect.poll(() => idsIn(delivered), wait).toEqual([...ids, ...ids]);
    });

    it('finds what was missed of a channel or a wildcard, and of no other application', async () => {
      const { broker, delivered } = await test.start();
      await broker.append(batchOf('/default/a', ['1', '2', '3']));
      await broker.append(batchOf('/default/a/deep', ['4']));
      await broker.append(batchOf('/default/a', ['5'], 'other'));
      await broker.append(batchOf('/default/ab', ['6']));
      await expect.poll(() => delivered.length, wait).toBe(4);
      const [first] = delivered;
      const after = (first?.position ?? 0n) + 1n;
      const ask = async (path: string, maxEvents = 100) => {
        const channel = parseChannel(path);
        if (!channel) throw new Error(path);
        const { position: before } = broker;
        return broker.findMissed({ realm: 'shop', channel, after, before, maxEvents });
      };
      expect(idsIn(await ask('/default/a'))).toEqual(['3']);
      expect((await ask('/default/a'))?.[0]?.position).toBe(after + 1n);
      expect(idsIn(await ask('/default/a/*'))).toEqual(['4']);
      expect(idsIn(await ask('/default/*'))).toEqual(['3', '4', '6']);
      expect(await ask('/default/*', 2)).toBeUndefined();
      expect(idsIn(await ask('/default/none'))).toEqual([]);
    });

    it('finds what was missed beyond what is in memory, but not beyond its limit', async () => {
      const { broker: a, delivered } = await test.start();
      const large = 'x'.repeat(300_000);
      const { channel } = batchOf('/default/a', []);
      const sent = Array.from({ length: 60 }, (_, i) => `${i}`);
      await a.append(batchOf('/default/a', ['first']));
      for (const id of sent) {
        const events = [{ id, event: JSON.stringify(large) }];
        await a.append({ ...batchOf('/default/large', []), events });
      }
      await a.append(batchOf('/default/a', ['second']));
      await expect.poll(() => delivered.length, wait).toBe(62);
      const after = delivered[0]?.position ?? 0n;
      const ask = async (path: string, from = after) => {
        const asked = batchOf(path, []).channel;
        const question = { realm: 'shop', channel: asked, after: from, before: a.position };
        return idsIn(await a.findMissed({ ...question, maxEvents: 100 }));
      };
      // 18 MB: the first events are in memory no more, and are more than one answer has.
      expect(await ask('/default/a')).toEqual(['second']);
      expect(await ask('/default/a', after - 1n)).toEqual(['first', 'second']);
      expect(await ask('/default/large')).toBeUndefined();
      expect(await ask('/default/large', delivered[10]?.position)).toEqual(sent.slice(10));
      const { broker: b } = await test.start();
      const question = { realm: 'shop', channel, after, before: b.position, maxEvents: 100 };
      expect(idsIn(await b.findMissed(question))).toEqual(['second']);
    });

    it('knows after a restart which channels had nothing, without asking the log for each', async () => {
      const a = await test.start();
      const quiet = Array.from({ length: 30 }, (_, i) => `/default/quiet/${i}`);
      for (const path of quiet) await a.broker.append(batchOf(path, ['1', '2']));
      await expect.poll(() => a.delivered.length, wait).toBe(30);
      const end = a.broker.position - 1n;
      const [first] = a.delivered;
      const large = JSON.stringify('x'.repeat(300_000));
      for (let i = 0; i < 60; i += 1) {
        const events = [{ id: `${i}`, event: large }];
        await a.broker.append({ ...batchOf('/default/loud', []), events });
      }
      const b = await test.start();
      const find = vi.spyOn(b.log, 'findByKey');
      const ask = async (path: string, after: bigint) => {
        const { channel } = batchOf(path, []);
        const question = { realm: 'shop', channel, after, before: b.broker.position };
        return idsIn(await b.broker.findMissed({ ...question, maxEvents: 10 }));
      };
      for (const path of [...quiet, '/default/quiet/*', '/default/none', '/other/*']) {
        expect(await ask(path, end)).toEqual([]);
      }
      expect(find).not.toHaveBeenCalled();
      // In the middle of the last batch of its channel.
      expect(await ask('/default/quiet/0', first?.position ?? 0n)).toEqual(['2']);
      expect(await ask('/default/quiet/0', (first?.position ?? 0n) + 1n)).toEqual([]);
      expect(await ask('/default/quiet/29', first?.position ?? 0n)).toEqual(['1', '2']);
      expect(await ask('/default/none', -1n)).toEqual([]);
      expect(await ask('/default/loud', end)).toBeUndefined();
      find.mockRestore();
    });

    it('waits for an event that another gateway has delivered, and not for one of the future', async () => {
      const a = await test.start();
      const b = await test.start({ pollMs: 60_000 });
      for (let i = 0; i < 50; i += 1) {
        await a.broker.append(batchOf('/default/a', [`${i}`]));
        await expect.poll(() => a.delivered.length, { ...wait, interval: 1 }).toBe(i + 1);
        expect(await b.broker.reach(a.broker.position - 1n)).toBe(true);
        expect(b.broker.position).toBe(a.broker.position);
      }
      expect(await b.broker.reach(a.broker.position)).toBe(false);
      expect(await b.broker.reach(a.broker.position * 2n)).toBe(false);
    });

    it('cannot say what was missed where retention has dropped records', async () => {
      const { broker, log, delivered } = await test.start();
      await broker.append(batchOf('/default/a', ['1']));
      await expect.poll(() => delivered.length, wait).toBe(1);
      const { channel } = batchOf('/default/a', []);
      const after = delivered[0]?.position ?? 0n;
      await log.maintain({ segmentMs: 1, retentionMs: 1 });
      await broker.append(batchOf('/default/a', ['2']));
      await expect.poll(() => delivered.length, wait).toBe(2);
      const askOn = async (asked: typeof broker) => {
        const question = { realm: 'shop', channel, after, before: asked.position };
        return idsIn(await asked.findMissed({ ...question, maxEvents: 10 }));
      };
      await expect
        .poll(async () => {
          await log.maintain({ segmentMs: 1, retentionMs: 1 });
          return askOn((await test.start()).broker);
        }, wait)
        .toBeUndefined();
      // This one still has it in memory.
      expect(await askOn(broker)).toEqual(['2']);
    });

    it('reads the newest batches of the past when it starts, and delivers none of them', async () => {
      const a = await test.start();
      for (let i = 0; i < 20; i += 1) await a.broker.append(batchOf('/default/a', [`${i}`]));
      const b = await test.start();
      const { channel } = batchOf('/default/a', []);
      const question = { realm: 'shop', channel, after: -1n, before: b.broker.position };
      const missed = await b.broker.findMissed({ ...question, maxEvents: 100 });
      expect(idsIn(missed)).toEqual(Array.from({ length: 20 }, (_, i) => `${i}`));
      await expect.poll(() => a.broker.position, wait).toBe(b.broker.position);
      await a.broker.append(batchOf('/default/a', ['live']));
      await expect.poll(() => idsIn(b.delivered), wait).toEqual(['live']);
    });

    it('appends other events in the same transaction', async () => {
      const forward = () => [
        { topic: 'orders', key: null, value: Buffer.from('{}'), headers: {}, application: 'shop' },
      ];
      const { broker, log } = await test.start({ forward });
      await broker.append(batchOf('/default/a', ['1']));
      const page = await log.listEvents({ topics: ['orders'], within: ['shop'] });
      expect(page.records).toHaveLength(1);
    });

    it('keeps the topic out of lists, and refuses readers as if there were none', async () => {
      const { broker, log } = await test.start();
      await broker.append(batchOf('/default/a', ['1']));
      expect(await log.listTopics('all')).toEqual([]);
      expect(await log.listTopics(['shop'])).toEqual([]);
      const refused = { code: 'TOPIC_NOT_FOUND' };
      const query = { topics: [realtimeTopic] };
      await expect(log.listEvents({ ...query, within: 'all' })).rejects.toMatchObject(refused);
      await expect(log.listEvents({ ...query, within: ['shop'] })).rejects.toMatchObject(refused);
      const group = { topics: [realtimeTopic], groupId: 'g', startOffset: 0n };
      const all = { topics: 'all' as const, groupId: 'h', startOffset: 0n };
      const limits = { limit: 10, maxBytes: 1_000 };
      await test.db.transaction(async (tx) => {
        expect((await log.readGroupBatch(tx, { ...group, ...limits })).records).toEqual([]);
        expect((await log.readGroupBatch(tx, { ...all, ...limits })).records).toEqual([]);
      });
    });
  });
});
