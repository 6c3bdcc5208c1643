import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  type CallbackInput,
  createAcceptance,
  createSecretBox,
  Intake,
  Secrets,
} from '@posthaste/callbacks';
import { Endpoints } from '@posthaste/callbacks/management';
import { type Database, migrate, openPostgres } from '@posthaste/postgres';
import {
  createTestDatabase,
  freePort,
  type Receiver,
  type RunningProcess,
  startProcess,
  startReceiver,
  type TestDatabase,
} from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { workerMigrations } from '../src/migrations.js';

const secretKey = Buffer.alloc(32, 1);
const rules = { defaultTimeoutMs: 5_000, maxTimeoutMs: 20_000, urlFault: () => undefined };

describeWithPostgres('a worker process', () => {
  let database: TestDatabase;
  let db: Database;
  let receiver: Receiver;
  let worker: RunningProcess | undefined;

  beforeEach(async () => {
    database = await createTestDatabase();
    db = await openPostgres({ url: database.url });
  });
  afterEach(async () => {
    await worker?.close();
    await receiver?.close();
    await db.close();
    await database.drop();
  });

  const startWorker = (
    env: Readonly<Record<string, string>> = {},
    { isReady = true }: { isReady?: boolean } = {},
  ): Promise<RunningProcess> =>
    startProcess({
      args: [fileURLToPath(new URL('../dist/main.js', import.meta.url))],
      env: {
        DATABASE_URL: database.url,
        POSTHASTE_SECRET_KEY: secretKey.toString('base64'),
        POSTHASTE_ALLOW_LOOPBACK: 'true',
        ...env,
      },
      ...(isReady && { ready: /the worker delivers/ }),
    });
  const accept = async (
    count: number,
    toInput = (i: number): Partial<CallbackInput> => ({ queue: `q${i % 20}` }),
  ): Promise<void> => {
    const intake = new Intake(db);
    const { accept: acceptOne } = createAcceptance({
      intake,
      rules,
      secretExists: async () => false,
    });
    await Promise.all(
      Array.from({ length: count }, (_, i) => acceptOne({ url: receiver.url, ...toInput(i) })),
    );
    await intake.close();
  };
  const counts = async (): Promise<{ delivered: number; leased: number; alive: number }> => {
    const { rows } = await db.query<{ delivered: number; leased: number; alive: number }>(`
      select (select count(*) from callbacks.history where ending = 'delivered')::int as delivered,
        (select count(*) from callbacks.head where lease_token is not null)::int as leased,
        ((select count(*) from callbacks.head) + (select count(*) from callbacks.waiting))::int as alive`);
    if (!rows[0]) throw new Error('no counts');
    return rows[0];
  };

  it('finishes attempts in flight at SIGTERM, leaves the rest to others, and exits with 0', async () => {
    await migrate(db, workerMigrations);
    receiver = await startReceiver({ kind: 'respond', status: 200, delayMs: 100 });
    await accept(500);
    worker = await startWorker();
    await receiver.waitFor(20);
    const exit = await worker.terminate(10_000);
    expect(exit).toEqual({ code: 0, signal: null });
    const { delivered, leased, alive } = await counts();
    expect(delivered).toBe(receiver.count);
    expect(delivered).toBeLessThan(500);
    expect(leased).toBe(0);
    expect(delivered + alive).toBe(500);
  });

  it('does not wait longer than its limit for a receiver that never answers', async () => {
    await migrate(db, workerMigrations);
    receiver = await startReceiver({ kind: 'hang' });
    await accept(5);
    worker = await startWorker({ POSTHASTE_STOP_TIMEOUT: '500ms' });
    await receiver.waitFor(5);
    const startedAt = performance.now();
    const exit = await worker.terminate(10_000);
    expect(exit).toEqual({ code: 0, signal: null });
    expect(performance.now() - startedAt).toBeLessThan(4_000);
    expect((await counts()).alive).toBe(5);
  });

  it('reports every fault of its configuration at once, and exits with 78', async () => {
    worker = await startWorker(
      {
        DATABASE_URL: 'mysql://somewhere',
        POSTHASTE_SECRET_KEY: 'short',
        POSTHASTE_CALLBACK_TIMEOUT: '30s',
        POSTHASTE_WORKER_CONCURRENCY: 'many',
        POSTHASTE_WORKR_PORT: '1',
      },
      { isReady: false },
    );
    expect((await worker.exited).code).toBe(78);
    const text = worker.output;
    for (const name of [
      'DATABASE_URL',
      'POSTHASTE_SECRET_KEY',
      'POSTHASTE_CALLBACK_LEASE',
      'POSTHASTE_WORKER_CONCURRENCY',
      'POSTHASTE_WORKR_PORT',
    ]) {
      expect(text).toContain(name);
    }
    expect(text).not.toContain('    at ');
  });

  it('waits for a database that cannot be reached, and stops at once while it waits', async () => {
    const port = String(await freePort());
    worker = await startWorker(
      { DATABASE_URL: 'postgres://x@127.0.0.1:1/x', POSTHASTE_WORKER_PORT: port },
      { isReady: false },
    );
    await worker.waitForLine(/"DATABASE_UNAVAILABLE".*waiting, and trying again/);
    const ready = await fetch(`http://127.0.0.1:${port}/health/ready`);
    expect([ready.status, await ready.json()]).toEqual([
      503,
      {
        status: 'not_ready',
        checks: ['database', 'migrations', 'secret_key'].map((name) => ({
          name,
          ready: false,
          code: 'DATABASE_UNAVAILABLE',
        })),
      },
    ]);
    expect((await fetch(`http://127.0.0.1:${port}/metrics`)).status).toBe(200);
    const startedAt = performance.now();
    expect(await worker.terminate()).toEqual({ code: 0, signal: null });
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect(worker.output).not.toContain('    at ');
  });

  it('waits for migrations, and then delivers', async () => {
    worker = await startWorker({}, { isReady: false });
    await worker.waitForLine(/waiting, and trying again: .*posthaste migrate/);
    await migrate(db, workerMigrations);
    await worker.waitForLine(/the worker delivers/);
  });

  it('says in one line that there are no connections left for its threads', async () => {
    await migrate(db, workerMigrations);
    const role = `few_${randomBytes(4).toString('hex')}`;
    await db.query(
      `create role ${role} login password 'few' connection limit 1 in role pg_read_all_data`,
    );
    const url = new URL(database.url);
    url.username = role;
    url.password = 'few';
    try {
      worker = await startWorker({ DATABASE_URL: url.href }, { isReady: false });
      expect((await worker.exited).code).toBe(1);
      expect(worker.output).toContain('too many connections');
      expect(worker.output).not.toContain('    at ');
    } finally {
      await db.query(`drop role ${role}`);
    }
  });

  it('keeps the limits of an endpoint across all its threads', async () => {
    await migrate(db, workerMigrations);
    receiver = await startReceiver({ kind: 'hang' });
    const secrets = new Secrets(db, createSecretBox(secretKey));
    const endpoints = new Endpoints({ db, secrets, rules });
    const limited = { name: 'limited', url: receiver.url, maxConcurrency: 3 };
    const { endpoint } = await endpoints.create(limited);
    await accept(20, () => ({ endpointId: endpoint.id }));
    worker = await startWorker({
      POSTHASTE_WORKER_THREADS: '2',
      POSTHASTE_STOP_TIMEOUT: '500ms',
    });
    await receiver.waitFor(3);
    await sleep(1_000);
    expect(receiver.count).toBe(3);
  });

  it('serves health and the metrics of all its threads on the configured port', async () => {
    await migrate(db, workerMigrations);
    receiver = await startReceiver(200);
    worker = await startWorker({ POSTHASTE_WORKER_PORT: '0', POSTHASTE_WORKER_THREADS: '2' });
    const [, url = ''] = await worker.waitForLine(/"monitor":"([^"]+)"/);
    await accept(50);
    await receiver.waitFor(50);
    expect(await (await fetch(`${url}/health/live`)).json()).toEqual({ status: 'live' });
    expect(await (await fetch(`${url}/health/ready`)).json()).toMatchObject({
      status: 'ready',
    });
    // An attempt is counted when its response has arrived, a moment after the receiver saw it.
    await vi.waitFor(async () => {
      const metrics = await (await fetch(`${url}/metrics`)).text();
      expect(metrics).toMatch(/posthaste_callback_attempts_total\{outcome="delivered"\} 50/);
    });
    expect((await fetch(`${url}/other`)).status).toBe(404);
  });
});
