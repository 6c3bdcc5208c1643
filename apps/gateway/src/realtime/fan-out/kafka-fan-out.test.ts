import { PostgresLog } from '@posthaste/eventstream';
import { type KafkaBroker, startKafka } from '@posthaste/testbed';
import { describeWithKafka, describeWithPostgres } from '@posthaste/testbed/vitest';
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  expect,
  it,
  type MockInstance,
  vi,
} from 'vitest';
import {
  batchOf,
  idsIn,
  openTestBrokers,
  type TestBroker,
  type TestBrokers,
} from '../../../test/test-brokers.js';
import { createPlatformDatabase } from '../../../test/test-platform.js';
import { openTestRealtime, realtimeFile, takeEvents } from '../../../test/test-realtime.js';
import { realtimeTopic } from '../batch-record.js';
import { openKafkaFanOut } from './kafka-fan-out.js';

const wait = { timeout: 60_000 };
const large = 'x'.repeat(300_000);
const quickRecovery = { 'unclean.leader.election.enable': 'true' };

interface KafkaNode extends TestBroker {
  /** Reads of the event log. */
  readonly reads: MockInstance<PostgresLog['readPartition']>;
  readonly errors: unknown[];
}

describeWithPostgres('brokers with Kafka between them', () => {
  describeWithKafka('on a real Kafka', () => {
    let kafka: KafkaBroker;
    let test: TestBrokers;
    let logs: PostgresLog[] = [];
    let prefix: string;

    beforeAll(async () => {
      kafka = await startKafka({ own: true, settings: quickRecovery });
    }, 120_000);
    afterAll(() => kafka?.close());
    beforeEach(async () => {
      test = await openTestBrokers('postgres');
      logs = [];
      prefix = `p${crypto.randomUUID()}`;
    });
    afterEach(async () => {
      await test.close();
      await Promise.all(logs.map((log) => log.close()));
    });

    async function start(epoch = 'epoch'): Promise<KafkaNode> {
      const log = new PostgresLog({ db: test.db, maxRecordBytes: 4_194_304 });
      logs.push(log);
      const errors: unknown[] = [];
      const reads = vi.spyOn(log, 'readPartition');
      const connection = { brokers: kafka.brokers, tls: false };
      const fanOut = openKafkaFanOut({ connection, prefix }, log, (error) => errors.push(error));
      const node = await test.start({ log, fanOut, readEpoch: async () => epoch });
      return { ...node, reads, errors };
    }

    /** Waits until batches of each node reach all others over Kafka. */
    async function connect(...nodes: readonly KafkaNode[]): Promise<void> {
      for (const node of nodes) {
        const probe = `probe-${crypto.randomUUID()}`;
        const others = nodes.filter((each) => each !== node);
        await expect
          .poll(() => {
            node.broker.broadcast(batchOf('/probe/a', [probe]));
            return others.every(({ delivered }) => idsIn(delivered)?.includes(probe));
          }, wait)
          .toBe(true);
      }
    }

    const idsOf = ({ delivered }: TestBroker): string[] =>
      idsIn(delivered)?.filter((id) => !id.startsWith('probe')) ?? [];

    async function countStored(): Promise<number> {
      const { rows } = await test.db.query<{ count: number }>(
        `select count(*)::int as count from eventstream.record r
         join eventstream.shard s on s.id = r.shard_id join eventstream.topic t on t.id = s.topic_id
         where t.name = $1`,
        [realtimeTopic],
      );
      return rows[0]?.count ?? 0;
    }

    it('deliver every stored batch once on each node, in the order of the log, mostly without reading it', async () => {
      const [a, b] = [await start(), await start()];
      await connect(a, b);
      for (const { errors } of [a, b]) errors.length = 0;
      const before = [a.reads.mock.calls.length, b.reads.mock.calls.length];
      for (let i = 0; i < 200; i += 1) {
        const { broker } = i % 3 === 0 ? a : b;
        await broker.append(batchOf('/default/room', [`${i}`, `${i}+`]));
      }
      await Promise.all(
        Array.from({ length: 200 }, (_, i) => {
          const { broker } = i % 2 === 0 ? a : b;
          return broker.append(batchOf('/default/room', [`c${i}`]));
        }),
      );
      await expect.poll(() => [idsOf(a).length, idsOf(b).length], wait).toEqual([600, 600]);
      const stored = ({ delivered }: TestBroker) =>
        delivered.filter(({ position }) => position !== undefined);
      expect(stored(a)).toEqual(stored(b));
      const positions = stored(a).map(({ position = -1n }) => position);
      expect(positions).toEqual(positions.toSorted((x, y) => (x < y ? -1 : 1)));
      expect(new Set(positions).size).toBe(400);
      const reads = [a, b].map((node, i) => node.reads.mock.calls.length - (before[i] ?? 0));
      expect(Math.max(...reads)).toBeLessThan(100);
      expect([...a.errors, ...b.errors]).toEqual([]);
    });

    it('bring a batch that is not stored to the others, and never to the log', async () => {
      const [a, b] = [await start(), await start()];
      await connect(a, b);
      for (let i = 0; i < 50; i += 1) a.broker.broadcast(batchOf('/default/room', [`${i}`]));
      const expected = Array.from({ length: 50 }, (_, i) => `${i}`);
      await expect.poll(() => idsOf(b), wait).toEqual(expected);
      expect(idsOf(a)).toEqual([]);
      expect(await countStored()).toBe(0);
    });

    it('bring batches that are larger than a broker takes', async () => {
      const [a, b] = [await start(), await start()];
      await connect(a, b);
      const five = ['1', '2', '3', '4', '5'];
      const batch = batchOf('/default/room', five);
      const events = batch.events.map(({ id }) => ({ id, event: JSON.stringify(large) }));
      await a.broker.append({ ...batch, events });
      await expect.poll(() => idsOf(b), wait).toEqual(five);
      a.broker.broadcast({ ...batch, events });
      await expect.poll(() => idsOf(b), wait).toEqual([...five, ...five]);
    });

    it('ignore what another installation sends on the same topic', async () => {
      const [a, b] = [await start(), await start()];
      await connect(a, b);
      const other = await start('another epoch');
      other.broker.broadcast(batchOf('/default/room', ['foreign']));
      await connect(b, a);
      expect([...idsOf(a), ...idsOf(b)]).toEqual([]);
    });

    it('share stored batches with a node that has no Kafka', async () => {
      const [a, b] = [await start(), await test.start()];
      await connect(a);
      await a.broker.append(batchOf('/default/room', ['1']));
      await expect.poll(() => idsOf(b), wait).toEqual(['1']);
      await b.broker.append(batchOf('/default/room', ['2']));
      await a.broker.append(batchOf('/default/room', ['3']));
      await expect
        .poll(() => [idsOf(a), idsOf(b)], wait)
        .toEqual([
          ['1', '2', '3'],
          ['1', '2', '3'],
        ]);
    });

    it('lose no stored batch while Kafka is away, and use it again afterwards', async () => {
      const [a, b] = [await start(), await start()];
      await connect(a, b);
      await kafka.kill();
      const append = (ids: readonly string[]) =>
        Promise.all(
          ids.map((id, i) => (i % 2 ? a : b).broker.append(batchOf('/default/room', [id]))),
        );
      const during = Array.from({ length: 20 }, (_, i) => `during-${i}`);
      await append(during);
      for (const node of [a, b]) {
        await expect.poll(() => idsOf(node).toSorted(), wait).toEqual(during.toSorted());
      }
      await kafka.start();
      await connect(a, b);
      await append(['after-1', 'after-2']);
      for (const node of [a, b]) await expect.poll(() => idsOf(node).length, wait).toBe(22);
      expect(idsOf(a)).toEqual(idsOf(b));
      expect(a.errors.length).toBeGreaterThan(0);
    }, 240_000);
  });
});

describeWithPostgres('gateways with Kafka between them', () => {
  describeWithKafka('on a real Kafka', () => {
    it('bring events to the subscribers of both, stored or not', async () => {
      const kafka = await startKafka();
      const database = await createPlatformDatabase();
      const fanOut = {
        connection: { brokers: kafka.brokers, tls: false },
        prefix: `p${crypto.randomUUID()}`,
      };
      const file = await realtimeFile({ namespaces: [{ name: 'loose', durable: false }] });
      const [one, two] = await Promise.all(
        [1, 2].map(() => openTestRealtime(database, {}, { ...file, fanOut })),
      );
      if (!(one && two)) throw new Error('no gateways');
      try {
        const key = await one.createKey();
        const probes = (await two.connect(key)).subscribe('/loose/probe');
        await probes.ready;
        const found = takeEvents(probes, 1);
        let isConnected = false;
        void found.then(() => {
          isConnected = true;
        });
        await expect
          .poll(async () => {
            await one.post(key, '/loose/probe', '1');
            return isConnected;
          }, wait)
          .toBe(true);
        const subscriber = await two.connect(key);
        const races = Array.from({ length: 100 }, async (_, i) => {
          const channel = `/${i % 2 === 0 ? 'loose' : 'default'}/race-${i}`;
          const subscription = subscriber.subscribe(channel);
          await subscription.ready;
          await one.post(key, channel, `"${i}"`);
          return takeEvents(subscription, 1);
        });
        const expected = Array.from({ length: 100 }, (_, i) => `"${i}"`);
        expect((await Promise.all(races)).flat()).toEqual(expected);
      } finally {
        await Promise.all([one.close(), two.close()]);
        await database.drop();
        await kafka.close();
      }
    }, 120_000);
  });
});
