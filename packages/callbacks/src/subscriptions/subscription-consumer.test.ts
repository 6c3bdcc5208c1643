import { randomBytes } from 'node:crypto';
import type { Database, Transaction } from '@posthaste/postgres';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { eventOf, TestLog } from '../../test/events.js';
import { useSharedStore } from '../../test/test-store.js';
import { Endpoints } from '../endpoints/endpoints.js';
import { createSecretBox } from '../secrets/secret-box.js';
import { Secrets } from '../secrets/secrets.js';
import { EventFanout } from './event-fanout.js';
import {
  type ConsumerObserver,
  createSubscriptionConsumer,
  type SubscriptionConsumer,
  type SubscriptionConsumerOptions,
} from './subscription-consumer.js';
import { Subscriptions } from './subscriptions.js';

const rules = { defaultTimeoutMs: 15_000, maxTimeoutMs: 30_000, urlFault: () => undefined };
const silent: ConsumerObserver = { consumed: () => undefined, failed: () => undefined };

describeWithPostgres('a consumer of events', () => {
  const store = useSharedStore();
  let log: TestLog;
  const running: SubscriptionConsumer[] = [];
  beforeAll(async () => {
    log = await TestLog.create(store.db);
    const secrets = new Secrets(store.db, createSecretBox(randomBytes(32)));
    const endpoints = new Endpoints({ db: store.db, secrets, rules });
    for (const name of ['a', 'b']) {
      const { endpoint } = await endpoints.create({
        application: '',
        name,
        url: 'https://example.com/',
        order: 'key',
      });
      await new Subscriptions(store.db).create({ endpointId: endpoint.id, eventName: '**' }, 'all');
    }
  });
  beforeEach(() => store.db.query('truncate callbacks.head, callbacks.waiting, callbacks.request'));
  afterEach(async () => {
    await Promise.all(running.splice(0).map((consumer) => consumer.close()));
  });

  const start = (options: Partial<SubscriptionConsumerOptions> = {}): SubscriptionConsumer => {
    const consumer = createSubscriptionConsumer({
      db: store.db,
      source: log,
      fanout: new EventFanout({ db: store.db }),
      observer: silent,
      batchSize: 10,
      pollMs: 60_000,
      minBackoffMs: 1,
      maxBackoffMs: 20,
      ...options,
    });
    running.push(consumer);
    return consumer;
  };
  const publish = async (count: number): Promise<string[]> => {
    const events = Array.from({ length: count }, (_, n) =>
      eventOf('e', { n }, { key: `${n % 3}` }),
    );
    await log.append(...events);
    return events.map(({ envelope }) => envelope.id);
  };
  /** Reads the ids of the events that callbacks were stored for, in their order. */
  const delivered = async (): Promise<string[]> => {
    const { rows } = await store.db.query<{ id: string }>(
      `select convert_from(body, 'UTF8')::json->>'id' as id from callbacks.request r order by r.id`,
    );
    return rows.map(({ id }) => id);
  };
  const twice = (ids: readonly string[]): string[] => ids.flatMap((id) => [id, id]);
  const consumed = (): Promise<void> =>
    vi.waitFor(async () => expect(await log.remaining()).toBe(0), { timeout: 20_000 });

  it('stores one callback for each event and endpoint, in order, batch after batch', async () => {
    const ids = await publish(35);
    const seen: [number, number][] = [];
    const observer = { ...silent, consumed: (...n: [number, number]) => void seen.push(n) };
    start({ observer });
    await consumed();
    expect(await delivered()).toEqual(twice(ids));
    await vi.waitFor(() =>
      expect(seen).toEqual([
        [10, 20],
        [10, 20],
        [10, 20],
        [5, 10],
      ]),
    );
  });

  it('takes fewer events at once while a batch takes too long', async () => {
    const ids = await publish(23);
    const seen: number[] = [];
    const observer = { ...silent, consumed: (events: number) => void seen.push(events) };
    start({ observer, batchSize: 16, maxBatchMs: 0 });
    await consumed();
    expect(await delivered()).toEqual(twice(ids));
    await vi.waitFor(() => expect(seen).toEqual([16, 4, 1, 1, 1]));
  });

  it('polls when it is notified', async () => {
    const consumer = start();
    await consumed();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const ids = await publish(3);
    consumer.notify();
    await consumed();
    expect(await delivered()).toEqual(twice(ids));
  });

  it('polls by itself after the poll time', async () => {
    start({ pollMs: 20 });
    const ids = await publish(3);
    await consumed();
    expect(await delivered()).toEqual(twice(ids));
  });

  it('loses and duplicates nothing when it dies after storing and before the commit', async () => {
    const ids = await publish(25);
    const failures: unknown[] = [];
    let deaths = 0;
    const dying: Database = Object.assign(Object.create(store.db) as Database, {
      transaction: <T>(work: (tx: Transaction) => Promise<T>): Promise<T> =>
        store.db.transaction(async (tx) => {
          const done = await work(tx);
          deaths += 1;
          if (deaths % 2 === 1) throw new Error('died before the commit');
          return done;
        }),
    });
    start({ db: dying, observer: { ...silent, failed: (error) => failures.push(error) } });
    await consumed();
    expect(failures.length).toBeGreaterThanOrEqual(3);
    expect(await delivered()).toEqual(twice(ids));
  });

  it('loses and duplicates nothing when the server ends its session in the middle', async () => {
    const ids = await publish(25);
    let kills = 0;
    const killed = {
      readBatch: async (...[tx, ...rest]: Parameters<TestLog['readBatch']>) => {
        const batch = await log.readBatch(tx, ...rest);
        kills += 1;
        if (kills % 2 === 1) {
          const { rows } = await tx.query<{ pid: number }>('select pg_backend_pid() as pid');
          await store.db.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
        }
        return batch;
      },
    };
    start({ source: killed });
    await consumed();
    expect(await delivered()).toEqual(twice(ids));
  });

  it('shares the events with other consumers, each going to one of them', async () => {
    const ids = await publish(60);
    start();
    start();
    await consumed();
    expect((await delivered()).sort()).toEqual(twice(ids).sort());
  });

  it('waits longer after each failure, without spinning', async () => {
    const waits: number[] = [];
    const observer = { ...silent, failed: (_: unknown, ms: number) => void waits.push(ms) };
    const source = { readBatch: () => Promise.reject(new Error('no log')) };
    const consumer = start({ source, observer, minBackoffMs: 4, maxBackoffMs: 16 });
    await vi.waitFor(() => expect(waits.length).toBeGreaterThanOrEqual(5));
    const bounds = [4, 8, 16, 16, 16];
    bounds.forEach((bound, i) => {
      expect(waits[i]).toBeGreaterThanOrEqual(bound / 2);
      expect(waits[i]).toBeLessThanOrEqual(bound);
    });
    consumer.notify();
    await consumer.close();
    await consumer.close();
    const count = waits.length;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(waits.length).toBe(count);
  });
});
