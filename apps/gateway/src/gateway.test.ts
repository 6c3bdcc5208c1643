import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { listApplicationNames } from '@posthaste/callbacks';
import { ambientDatabase, type Database, openPostgres } from '@posthaste/postgres';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { Registry } from 'prom-client';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { rawConnection } from '../test/raw-connection.js';
import { createPlatformDatabase } from '../test/test-platform.js';
import { testConfig, testLogger } from '../test/test-server.js';
import type { App } from './app.js';
import { type Gateway, startGateway } from './gateway.js';

describe('the gateway', () => {
  let db: Database;
  const gateways: Gateway[] = [];

  beforeAll(async () => {
    // No server listens on this port; the gateway must still start.
    db = await openPostgres({ url: 'postgres://nobody@127.0.0.1:1/none' });
  });
  afterEach(() => Promise.all(gateways.splice(0).map((gateway) => gateway.close(0))));
  afterAll(() => db.close());

  /** Creates routes of which `/slow` answers when `finish` is called. */
  function slowRoute() {
    const { promise, resolve } = Promise.withResolvers<void>();
    const arrived = Promise.withResolvers<void>();
    const routes = (app: App): void => {
      app.get('/slow', { config: { scope: 'public', application: 'none' } }, async () => {
        arrived.resolve();
        await promise;
        return { done: true };
      });
      app.get('/quick', { config: { scope: 'public', application: 'none' } }, () => ({
        done: true,
      }));
    };
    return { routes, finish: resolve, arrived: arrived.promise };
  }

  async function start(
    environment: Record<string, string> = {},
    routes: ((app: App) => void)[] = [],
  ) {
    const { logs, logger } = testLogger();
    const config = testConfig({ POSTHASTE_PORT: '0', ...environment });
    const gateway = await startGateway({
      config,
      db,
      changes: ambientDatabase(db),
      auditEvents: { append: async () => undefined },
      auditTargets: {},
      logger,
      registry: new Registry(),
      routes,
    });
    gateways.push(gateway);
    return { ...gateway, logs };
  }

  it('returns the URL that it listens on', async () => {
    const { url } = await start();
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect((await fetch(`${url}/health/live`)).status).toBe(200);
  });

  it('runs without its database, and names what is not ready', async () => {
    const { url } = await start();
    const ready = await fetch(`${url}/health/ready`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toEqual({
      status: 'not_ready',
      checks: [{ name: 'database', ready: false, code: 'DATABASE_UNAVAILABLE' }],
    });
    const asked = await fetch(`${url}/v1/keys`);
    expect(asked.status).toBe(503);
    expect(await asked.json()).toMatchObject({ code: 'DATABASE_UNAVAILABLE', retryable: true });
  });

  it('measures requests by route and the use of the database', async () => {
    const { url } = await start();
    await fetch(`${url}/health/live`);
    await fetch(`${url}/made/up/${Math.random()}`);
    const text = await (await fetch(`${url}/metrics`)).text();
    expect(text).toContain(
      'posthaste_http_request_duration_seconds_count{method="GET",route="/health/live",status="2xx"} 1',
    );
    expect(text).toContain(
      'posthaste_http_request_duration_seconds_count{method="",route="none",status="4xx"} 1',
    );
    expect(text).toContain('posthaste_database_connections{state="waiting"} 0');
    expect(text).toContain('nodejs_eventloop_lag_seconds');
    expect(text).not.toContain('made/up');
  });

  describe('that cannot listen', () => {
    it('fails with a message that the port is taken, and what to do', async () => {
      const other = createServer().listen(0, '127.0.0.1');
      await new Promise((resolve) => other.once('listening', resolve));
      const { port } = other.address() as AddressInfo;
      await expect(start({ POSTHASTE_PORT: String(port) })).rejects.toMatchObject({
        code: 'LISTEN_FAILED',
        message: `http://127.0.0.1:${port} is taken by another process. Stop that one, or set POSTHASTE_PORT to another port.`,
      });
      other.close();
    });

    it('fails with a message that the address is not of this machine', async () => {
      await expect(start({ POSTHASTE_HOST: '192.0.2.1' })).rejects.toMatchObject({
        code: 'LISTEN_FAILED',
        message: expect.stringContaining('is not an address of this machine'),
      });
    });
  });

  describe('that stops', () => {
    it('finishes running requests, and accepts no new ones', async () => {
      const { routes, finish, arrived } = slowRoute();
      const { url, close } = await start({}, [routes]);
      const answer = fetch(`${url}/slow`);
      await arrived;
      const closed = close(5_000);
      await expect.poll(() => fetch(`${url}/quick`).catch(() => 'refused')).toBe('refused');
      const finishedAt = performance.now();
      finish();
      expect(await (await answer).json()).toEqual({ done: true });
      await closed;
      expect(performance.now() - finishedAt).toBeLessThan(2_000);
    });

    it('closes idle connections', async () => {
      const { url, close } = await start();
      const connection = await rawConnection(Number(new URL(url).port));
      connection.write('GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n');
      await new Promise((resolve) => connection.socket.once('data', resolve));
      const startedAt = performance.now();
      await close(10_000);
      expect(performance.now() - startedAt).toBeLessThan(2_000);
      expect(await connection.received).toContain('HTTP/1.1 200');
    });

    it('still answers requests on an open connection, and then closes it', async () => {
      const { routes, finish, arrived } = slowRoute();
      const { url, close } = await start({}, [routes]);
      const connection = await rawConnection(Number(new URL(url).port));
      connection.write('GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n');
      await arrived;
      const closed = close(5_000);
      await sleep(50);
      connection.write('GET /quick HTTP/1.1\r\nHost: localhost\r\n\r\n');
      finish();
      const received = await connection.received;
      expect(received.match(/HTTP\/1\.1 200/g)).toHaveLength(2);
      expect(received).toMatch(/connection: close/i);
      await closed;
    });

    it('cuts off requests that do not end within the limit, of slow clients too', async () => {
      const { routes, arrived } = slowRoute();
      const { url, close, logs } = await start({}, [routes]);
      const answer = fetch(`${url}/slow`).catch(() => 'cut off');
      await arrived;
      const loris = await rawConnection(Number(new URL(url).port));
      loris.write('POST /v1/keys HTTP/1.1\r\nHost: localhost\r\n');
      await sleep(50);
      const startedAt = performance.now();
      await close(200);
      expect(performance.now() - startedAt).toBeLessThan(2_000);
      expect(await answer).toBe('cut off');
      expect(await loris.received).toBe('');
      expect(logs).toContainEqual(expect.objectContaining({ level: 'warn', limitMs: 200 }));
    });

    it('can be closed twice', async () => {
      const { close } = await start();
      await Promise.all([close(1_000), close(1_000)]);
    });
  });
});

describeWithPostgres('a gateway on a database of the version before', () => {
  it('registers the applications that callbacks, queues, secrets and endpoints name', async () => {
    const database = await createPlatformDatabase();
    const db = await openPostgres({ url: database.url });
    await db.query(`insert into callbacks.queue (application, queue)
      values ('', 'q'), ('shop', 'q'), ('a/b', 'q')`);
    const gateway = await startGateway({
      config: testConfig({ POSTHASTE_PORT: '0' }),
      db,
      changes: ambientDatabase(db),
      auditEvents: { append: async () => undefined },
      auditTargets: {},
      logger: testLogger().logger,
      registry: new Registry(),
      routes: [],
      nameSources: [
        { source: 'callbacks', list: (after, limit) => listApplicationNames(db, after, limit) },
      ],
    });
    onTestFinished(async () => {
      await gateway.close(0);
      await db.close();
      await database.drop();
    });
    const listed = async (): Promise<unknown> => {
      const answer = await fetch(`${gateway.url}/v1/applications`);
      const { items } = (await answer.json()) as { items: { application: string }[] };
      return items.map(({ application }) => application).toSorted();
    };
    await expect.poll(listed, { timeout: 30_000 }).toEqual(['', 'a/b', 'shop']);
  });
});
