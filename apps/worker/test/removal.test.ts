import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { getErasure, startRemoval } from '@posthaste/access';
import { NamespaceStore } from '@posthaste/appsync-server/postgres';
import { awaitClaims, type CallbackRequest, Intake, stopDeliveries } from '@posthaste/callbacks';
import { newId } from '@posthaste/contracts';
import { type Database, migrate, openPostgres } from '@posthaste/postgres';
import {
  createTestDatabase,
  type RunningProcess,
  startProcess,
  type TestDatabase,
} from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { workerMigrations } from '../src/migrations.js';

const queues = 40;
const perQueue = 50;
const unordered = 4_000;
const waitOptions = { timeout: 90_000, interval: 100 };

/** Kills the worker that removes an application, again and again. */
describeWithPostgres('the removal of an application by workers that are killed', () => {
  let database: TestDatabase;
  let db: Database;
  const workers: RunningProcess[] = [];
  const arrived: { readonly application: string; readonly at: number }[] = [];
  const receiver = createServer((request, response) => {
    arrived.push({ application: String(request.url).slice(1), at: Date.now() });
    // Slow, so that at every moment some attempts are under way.
    setTimeout(() => response.end('ok'), 200);
  });

  beforeAll(async () => {
    database = await createTestDatabase();
    db = await openPostgres({ url: database.url, maxConnections: 8 });
    await migrate(db, workerMigrations);
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  });
  afterAll(async () => {
    await Promise.all(workers.map((worker) => worker.close()));
    receiver.closeAllConnections();
    receiver.close();
    await db?.close();
    await database?.drop();
  }, 60_000);

  const startWorker = async (): Promise<RunningProcess> => {
    const worker = await startProcess({
      args: [fileURLToPath(new URL('../dist/main.js', import.meta.url))],
      env: {
        DATABASE_URL: database.url,
        POSTHASTE_SECRET_KEY: Buffer.alloc(32, 1).toString('base64'),
        POSTHASTE_ALLOW_LOOPBACK: 'true',
        POSTHASTE_CALLBACK_TIMEOUT: '2s',
        POSTHASTE_CALLBACK_LEASE: '5s',
        POSTHASTE_WORKER_CONCURRENCY: '8',
        POSTHASTE_WORKER_CONCURRENCY_PER_HOST: '8',
        POSTHASTE_WORKER_CONCURRENCY_PER_APPLICATION: '8',
      },
      ready: /the worker delivers/,
    });
    workers.push(worker);
    return worker;
  };

  const requestOf = (application: string, queue: string | undefined): CallbackRequest => {
    const origin = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
    return {
      application,
      queue,
      endpointId: undefined,
      url: `${origin}/${application}`,
      origin,
      method: 'POST',
      headers: undefined,
      body: Buffer.from('payload'),
      // An attempt may take too long on a slow machine, and is repeated.
      policy: { kind: 'phases', phases: [{ retries: 10_000, delayNs: 30_000_000n }] },
      timeoutMs: 2_000,
      secret: undefined,
      notificationEmail: undefined,
      expiresAt: undefined,
      deliverAfter: undefined,
      echo: 0,
    };
  };

  const acceptAll = async (intake: Intake, application: string, wanted: (string | undefined)[]) => {
    await intake.addAll(
      wanted.map((queue) => ({
        id: newId(),
        request: requestOf(application, queue),
        idempotency: undefined,
      })),
    );
  };

  const countOf = async (application: string): Promise<number> => {
    const { rows } = await db.query<{ n: number }>(
      `select ((select count(*) from callbacks.head where application = $1)
         + (select count(*) from callbacks.waiting where application = $1)
         + (select count(*) from callbacks.request where application = $1)
         + (select count(*) from callbacks.history y
            where not exists (select from callbacks.request r where r.id = y.callback_id)))::int as n`,
      [application],
    );
    return rows[0]?.n ?? -1;
  };

  it('loses no step, sends nothing after the answer, and leaves other applications alone', async () => {
    const intake = new Intake(db);
    const names = Array.from({ length: queues }, (_, q) => `q${q}`);
    for (let n = 0; n < perQueue; n += 1) await acceptAll(intake, 'gone', names);
    for (let n = 0; n < unordered; n += 500) {
      await acceptAll(
        intake,
        'gone',
        Array.from({ length: 500 }, () => undefined),
      );
    }
    await acceptAll(intake, 'stays', [...names, ...names.map(() => undefined)]);
    await db.query(`insert into gateway.application (name) values ('gone'), ('stays')`);
    const namespaces = new NamespaceStore(db);
    for (const application of ['gone', 'stays']) {
      await namespaces.create({ application, name: 'chat' }, {}, 'all');
    }
    let worker = await startWorker();
    await expect.poll(() => arrived.length, waitOptions).toBeGreaterThan(20);

    const erasure = await db.transaction(async (tx) => {
      const removal = await startRemoval(tx, { name: 'gone', requestedBy: 'test' });
      await stopDeliveries(tx, 'gone');
      return removal;
    });
    await awaitClaims(db);
    const answeredAt = Date.now();
    const id = erasure?.id ?? '';
    const erasedSoFar = async (): Promise<number> => (await getErasure(db, id, 'all')).erased;
    for (const some of [400, 1_500, 3_000]) {
      await expect.poll(erasedSoFar, { ...waitOptions, interval: 5 }).toBeGreaterThan(some);
      await worker.kill();
      // Another process has not learned of it yet.
      await acceptAll(intake, 'gone', [...names.slice(0, 5), undefined]);
      worker = await startWorker();
    }
    await expect
      .poll(async () => (await getErasure(db, id, 'all')).state, waitOptions)
      .toBe('done');
    await intake.close();

    expect(await countOf('gone')).toBe(0);
    const { rows } = await db.query(`select name from gateway.application`);
    expect(rows).toEqual([{ name: 'stays' }]);
    const { items } = await namespaces.list({ within: ['gone', 'stays'] });
    expect(items.map(({ application }) => application)).toEqual(['stays', undefined]);
    // What was leased at the moment of the answer may still begin, as long as its lease lasts.
    const late = arrived.filter(({ application, at }) => {
      return application === 'gone' && at > answeredAt + 5_000;
    });
    expect(late).toEqual([]);
    await expect
      .poll(async () => {
        const ended = `select count(*)::int as n from callbacks.history y
            join callbacks.request r on r.id = y.callback_id
            where r.application = 'stays' and y.ending = 'delivered'`;
        return (await db.query<{ n: number }>(ended)).rows[0]?.n;
      }, waitOptions)
      .toBe(2 * queues);
  }, 180_000);
});
