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
} from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { expect, type TestContext, test, vi } from 'vitest';
import { workerMigrations } from '../src/migrations.js';

const secretKey = Buffer.alloc(32, 1);
const rules = { defaultTimeoutMs: 15_000, maxTimeoutMs: 20_000, urlFault: () => undefined };

/** Database of one test, with a worker and a receiver. All are closed after the test. */
class Stage {
  readonly url: string;
  readonly db: Database;
  readonly #context: Pick<TestContext, 'onTestFinished'>;

  private constructor(url: string, db: Database, context: Pick<TestContext, 'onTestFinished'>) {
    this.url = url;
    this.db = db;
    this.#context = context;
  }

  static async open(context: Pick<TestContext, 'onTestFinished'>): Promise<Stage> {
    const { url, drop } = await createTestDatabase();
    const db = await openPostgres({ url });
    context.onTestFinished(async () => {
      await db.close();
      await drop();
    });
    return new Stage(url, db, context);
  }

  async startReceiver(...script: Parameters<typeof startReceiver>): Promise<Receiver> {
    const receiver = await startReceiver(...script);
    this.#context.onTestFinished(() => receiver.close());
    return receiver;
  }

  async startWorker(
    env: Readonly<Record<string, string>> = {},
    { isReady = true }: { isReady?: boolean } = {},
  ): Promise<RunningProcess> {
    const worker = await startProcess({
      args: [fileURLToPath(new URL('../dist/main.js', import.meta.url))],
      env: {
        DATABASE_URL: this.url,
        POSTHASTE_SECRET_KEY: secretKey.toString('base64'),
        POSTHASTE_ALLOW_LOOPBACK: 'true',
        ...env,
      },
      ...(isReady && { ready: /the worker delivers/ }),
    });
    this.#context.onTestFinished(() => worker.close());
    return worker;
  }

  /** Accepts `count` callbacks to the receiver. */
  async accept(
    { url }: Receiver,
    count: number,
    toInput = (i: number): Partial<CallbackInput> => ({ queue: `q${i % 20}` }),
  ): Promise<void> {
    const intake = new Intake(this.db);
    const { accept: acceptOne } = createAcceptance({
      intake,
      rules,
      secretExists: async () => false,
    });
    await Promise.all(Array.from({ length: count }, (_, i) => acceptOne({ url, ...toInput(i) })));
    await intake.close();
  }

  async counts(): Promise<{ delivered: number; leased: number; alive: number }> {
    const { rows } = await this.db.query<{ delivered: number; leased: number; alive: number }>(`
      select (select count(*) from callbacks.history where ending = 'delivered')::int as delivered,
        (select count(*) from callbacks.head where lease_token is not null)::int as leased,
        ((select count(*) from callbacks.head) + (select count(*) from callbacks.waiting))::int as alive`);
    if (!rows[0]) throw new Error('no counts');
    return rows[0];
  }
}

const it = test.extend('stage', ({ onTestFinished }) => Stage.open({ onTestFinished }));

/** They run at the same time, since most of it is waiting. */
describeWithPostgres.concurrent('a worker process', { timeout: 60_000 }, () => {
  it('finishes attempts in flight at SIGTERM, leaves the rest to others, and exits with 0', async ({
    stage,
  }) => {
    await migrate(stage.db, workerMigrations);
    const receiver = await stage.startReceiver({ kind: 'respond', status: 200, delayMs: 100 });
    await stage.accept(receiver, 500);
    const worker = await stage.startWorker();
    await receiver.waitFor(20);
    const exit = await worker.terminate(10_000);
    expect(exit).toEqual({ code: 0, signal: null });
    const { delivered, leased, alive } = await stage.counts();
    expect(delivered).toBe(receiver.count);
    expect(delivered).toBeLessThan(500);
    expect(leased).toBe(0);
    expect(delivered + alive).toBe(500);
  });

  it('does not wait longer than its limit for a receiver that never answers', async ({ stage }) => {
    await migrate(stage.db, workerMigrations);
    const receiver = await stage.startReceiver({ kind: 'hang' });
    await stage.accept(receiver, 5);
    const worker = await stage.startWorker({ POSTHASTE_STOP_TIMEOUT: '500ms' });
    await receiver.waitFor(5);
    // Killed after 10 s, which is less than the time limit of an attempt.
    const exit = await worker.terminate(10_000);
    expect(exit).toEqual({ code: 0, signal: null });
    expect((await stage.counts()).alive).toBe(5);
  });

  it('reports every fault of its configuration at once, and exits with 78', async ({ stage }) => {
    const worker = await stage.startWorker(
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

  it('waits for a database that cannot be reached, and stops at once while it waits', async ({
    stage,
  }) => {
    const port = String(await freePort());
    const worker = await stage.startWorker(
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
    expect(await worker.terminate(10_000)).toEqual({ code: 0, signal: null });
    expect(worker.output).not.toContain('    at ');
  });

  it('waits for migrations, and then delivers', async ({ stage }) => {
    const worker = await stage.startWorker({}, { isReady: false });
    await worker.waitForLine(/waiting, and trying again: .*posthaste migrate/);
    await migrate(stage.db, workerMigrations);
    await worker.waitForLine(/the worker delivers/);
  });

  it('says in one line that there are no connections left for its threads', async ({ stage }) => {
    await migrate(stage.db, workerMigrations);
    const role = `few_${randomBytes(4).toString('hex')}`;
    await stage.db.query(
      `create role ${role} login password 'few' connection limit 1 in role pg_read_all_data`,
    );
    const url = new URL(stage.url);
    url.username = role;
    url.password = 'few';
    try {
      const worker = await stage.startWorker({ DATABASE_URL: url.href }, { isReady: false });
      expect((await worker.exited).code).toBe(1);
      expect(worker.output).toContain('too many connections');
      expect(worker.output).not.toContain('    at ');
    } finally {
      await stage.db.query(`drop role ${role}`);
    }
  });

  it('keeps the limits of an endpoint across all its threads', async ({ stage }) => {
    await migrate(stage.db, workerMigrations);
    const receiver = await stage.startReceiver({ kind: 'hang' });
    const secrets = new Secrets(stage.db, createSecretBox(secretKey));
    const endpoints = new Endpoints({ db: stage.db, secrets, rules });
    const limited = { application: '', name: 'limited', url: receiver.url, maxConcurrency: 3 };
    const { endpoint } = await endpoints.create(limited);
    await stage.accept(receiver, 20, () => ({ endpointId: endpoint.id }));
    await stage.startWorker({
      POSTHASTE_WORKER_THREADS: '2',
      POSTHASTE_STOP_TIMEOUT: '500ms',
    });
    await receiver.waitFor(3);
    await sleep(1_000);
    expect(receiver.count).toBe(3);
  });

  it('serves health and the metrics of all its threads on the configured port', async ({
    stage,
  }) => {
    await migrate(stage.db, workerMigrations);
    const receiver = await stage.startReceiver(200);
    const worker = await stage.startWorker({
      POSTHASTE_WORKER_PORT: '0',
      POSTHASTE_WORKER_THREADS: '2',
    });
    const [, url = ''] = await worker.waitForLine(/"monitor":"([^"]+)"/);
    await stage.accept(receiver, 50);
    await receiver.waitFor(50);
    expect(await (await fetch(`${url}/health/live`)).json()).toEqual({ status: 'live' });
    expect(await (await fetch(`${url}/health/ready`)).json()).toMatchObject({
      status: 'ready',
    });
    // An attempt is counted when its response has arrived, a moment after the receiver saw it.
    await vi.waitFor(
      async () => {
        const metrics = await (await fetch(`${url}/metrics`)).text();
        expect(metrics).toMatch(/posthaste_callback_attempts_total\{outcome="delivered"\} 50/);
      },
      { timeout: 20_000 },
    );
    expect((await fetch(`${url}/other`)).status).toBe(404);
  });
});
