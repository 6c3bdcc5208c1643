import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createApiKeyConfig, type WebSocketClient } from '@posthaste/appsync-client';
import { createTestDatabase, freePort, startKafka, startReceiver } from '@posthaste/testbed';
import { describeWithKafka, describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { postCallback } from './post-callback.js';
import { type Environment, posthaste, startPosthaste } from './posthaste.js';

const waitOptions = { timeout: 120_000, interval: 200 };

describeWithPostgres('two gateways and a worker', () => {
  describeWithKafka('with Kafka between the gateways', () => {
    const toClose: (() => Promise<unknown>)[] = [];
    const urls: string[] = [];
    const clients: WebSocketClient[] = [];
    let receiverUrl: string;

    beforeAll(async () => {
      const [kafka, database, receiver] = await Promise.all([
        startKafka(),
        createTestDatabase(),
        startReceiver(200),
      ]);
      receiverUrl = receiver.url;
      const file = join(await mkdtemp(join(tmpdir(), 'realtime-')), 'realtime.json');
      await writeFile(file, JSON.stringify({ namespaces: [{ name: 'typing', durable: false }] }));
      const env: Environment = {
        DATABASE_URL: database.url,
        POSTHASTE_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
        POSTHASTE_ALLOW_LOOPBACK: 'true',
        POSTHASTE_CALLBACK_EVENTS: 'all',
        POSTHASTE_REALTIME_CONFIG: file,
        POSTHASTE_REALTIME_FANOUT: 'kafka',
        KAFKA_BROKERS: kafka.brokers.join(),
        POSTHASTE_KAFKA_PREFIX: `p${crypto.randomUUID()}`,
        // A busy test machine would exceed the delay.
        POSTHASTE_MAX_EVENT_LOOP_DELAY: '0',
      };
      expect(await posthaste(['migrate'], env)).toMatchObject({ code: 0 });
      const worker = await startPosthaste(['worker'], env, /the worker delivers/);
      toClose.push(() => worker.close());
      for (const _ of [1, 2]) {
        const port = String(await freePort());
        const url = `http://127.0.0.1:${port}`;
        const own = { ...env, POSTHASTE_PORT: port };
        const gateway = await startPosthaste(['gateway'], own, new URL('/health/ready', url));
        urls.push(url);
        clients.push(await connect(createApiKeyConfig(`${url}/event`, undefined, 'any')));
        toClose.push(() => gateway.close());
      }
      toClose.push(
        () => receiver.close(),
        database.drop,
        () => kafka.close(),
      );
    }, 300_000);
    afterAll(async () => {
      for (const client of clients) client.close();
      for (const close of toClose) await close();
    }, 120_000);

    it('show the states of a callback live, on the gateway that it was not sent to', async () => {
      const [, second] = clients;
      const seen: { name: string; id: unknown }[] = [];
      const callbacks = second?.subscribe('/posthaste/callbacks');
      await callbacks?.ready;
      void (async () => {
        for await (const { event } of callbacks ?? []) {
          const { name, event: envelope } = JSON.parse(event);
          seen.push({ name, id: envelope.payload.callbackId });
        }
      })();
      const id = await postCallback(urls[0] ?? '', receiverUrl);
      const names = () => seen.filter((each) => each.id === id).map(({ name }) => name);
      await expect.poll(names, waitOptions).toContain('callback.delivered');
      expect(names()).toContain('callback.accepted');
    });

    it('pass events of channels on, of durable namespaces and of others', async () => {
      const [first, second] = clients;
      const seen: string[] = [];
      for (const channel of ['/default/*', '/typing/*']) {
        const subscription = second?.subscribe(channel);
        await subscription?.ready;
        void (async () => {
          for await (const { event } of subscription ?? []) seen.push(event);
        })();
      }
      await expect
        .poll(async () => {
          await first?.publish('/typing/a', ['"typing"']);
          return seen.includes('"typing"');
        }, waitOptions)
        .toBe(true);
      const numbers = Array.from({ length: 50 }, (_, n) => `${n}`);
      for (const n of numbers) await first?.publish('/default/a', [n]);
      const found = () => seen.filter((event) => event !== '"typing"');
      await expect.poll(found, waitOptions).toEqual(numbers);
    });
  });
});
