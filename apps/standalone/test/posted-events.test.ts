import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '@posthaste/eventstream';
import {
  createTestDatabase,
  freePort,
  type KafkaBroker,
  type Receiver,
  type RunningProcess,
  startKafka,
  startReceiver,
} from '@posthaste/testbed';
import { describeWithKafka } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Environment, posthaste, startPosthaste } from './posthaste.js';

const keys = Array.from({ length: 8 }, (_, k) => `key ${k}`);
const eventsPerKey = 60;
const waitOptions = { timeout: 90_000, interval: 200 };

interface Posted {
  readonly key: string;
  readonly n: number;
}

describeWithKafka('events that are posted while gateway and worker are killed', () => {
  const toClose: (() => Promise<unknown>)[] = [];
  const prefix = `posted-${Date.now()}`;
  let env: Environment;
  let kafka: KafkaBroker;
  let receiver: Receiver;
  let url: string;

  beforeAll(async () => {
    kafka = await startKafka();
    receiver = await startReceiver(200);
    const database = await createTestDatabase();
    const port = String(await freePort());
    url = `http://127.0.0.1:${port}`;
    env = {
      DATABASE_URL: database.url,
      KAFKA_BROKERS: kafka.brokers.join(),
      POSTHASTE_KAFKA_PREFIX: prefix,
      POSTHASTE_PORT: port,
      POSTHASTE_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
      POSTHASTE_ALLOW_LOOPBACK: 'true',
      POSTHASTE_CALLBACK_TIMEOUT: '1s',
      POSTHASTE_CALLBACK_LEASE: '3s',
      // A busy test machine would exceed the delay.
      POSTHASTE_MAX_EVENT_LOOP_DELAY: '0',
    };
    toClose.push(
      () => receiver.close(),
      database.drop,
      () => kafka.close(),
    );
    expect(await posthaste(['migrate'], env)).toMatchObject({ code: 0 });
  }, 240_000);
  afterAll(async () => {
    for (const close of toClose) await close();
  });

  const startGateway = (): Promise<RunningProcess> =>
    startPosthaste(['gateway'], env, new URL('/health/ready', url));
  const startWorker = (): Promise<RunningProcess> =>
    startPosthaste(['worker'], env, /the worker delivers/);

  async function call<T>(path: string, body: unknown): Promise<T> {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
    return answer.json() as Promise<T>;
  }

  /** Posts an event again and again until there is an answer. */
  async function post(event: object): Promise<void> {
    for (;;) {
      const answer = await call('/v1/events', event).catch(() => undefined);
      if (answer) return;
      await sleep(50);
    }
  }

  /** Returns the payloads that the webhook got; repeats after a kill have the same id and count once. */
  function delivered(): Posted[] {
    const byId = Map.groupBy(receiver.requests, ({ headers }) => headers['webhook-id']);
    return [...byId.values()].map(([first]) => JSON.parse(String(first?.body)).payload);
  }

  /** Expects each event once, and those of each key in the order of their numbers. */
  function expectEachOnceInOrder(arrived: readonly Posted[]): void {
    const byKey = Map.groupBy(arrived, ({ key }) => key);
    const numbers = Array.from({ length: eventsPerKey }, (_, n) => n);
    for (const key of keys) expect(byKey.get(key)?.map(({ n }) => n)).toEqual(numbers);
  }

  it('reach the log, a webhook and Kafka once, in the order of their keys', async () => {
    let gateway = await startGateway();
    let worker = await startWorker();
    const endpoint = { name: 'hook', url: receiver.url, order: 'key' };
    const created = await call<{ endpoint: { id: string } }>('/v1/endpoints', endpoint);
    const subscription = { endpointId: created.endpoint.id, eventName: 'order.*' };
    await call('/v1/subscriptions', subscription);

    const posting = Promise.all(
      keys.map(async (key) => {
        for (let n = 0; n < eventsPerKey; n += 1) {
          const id = `${key} ${n}`;
          await post({ topic: 'orders', key, id, name: 'order.placed', payload: { key, n } });
          await sleep(50);
        }
      }),
    );
    for (let kills = 0; kills < 2; kills += 1) {
      await sleep(700);
      await gateway.kill();
      gateway = await startGateway();
      await worker.kill();
      worker = await startWorker();
    }
    await posting;

    const logged = await posthaste(['events', 'tail', 'orders', '--no-follow', '--json'], {
      POSTHASTE_URL: url,
    });
    const events = logged.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expectEachOnceInOrder(events.map(({ event }) => event.payload));

    await expect.poll(() => delivered().length, waitOptions).toBe(keys.length * eventsPerKey);
    expectEachOnceInOrder(delivered());

    const seen = new Map<string, Posted>();
    const consumer = await createClient(prefix, 'kafka', [...kafka.brokers]);
    consumer.register({
      topic: 'orders',
      groupId: 'test',
      offset: -2,
      callback: (_ctx, event) => {
        // The relay may publish an event twice if it was killed before it committed its offset.
        if (event && !seen.has(event.id)) seen.set(event.id, event.payload as unknown as Posted);
      },
    });
    await expect.poll(() => seen.size, waitOptions).toBe(keys.length * eventsPerKey);
    await consumer.close();
    expectEachOnceInOrder([...seen.values()]);
  }, 300_000);
});
