import { fileURLToPath } from 'node:url';
import { type CallbackRequest, Intake, type IntakeItem } from '@posthaste/callbacks';
import { newId } from '@posthaste/contracts';
import { type Database, migrate, openPostgres } from '@posthaste/postgres';
import {
  type PostgresServer,
  type ReceiverProcess,
  type RunningProcess,
  seededRandom,
  startPostgres,
  startProcess,
  startReceiverProcess,
} from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { workerMigrations } from '../src/migrations.js';

const queues = 60;
const perQueue = 50;
const unordered = 1_000;
const total = queues * perQueue + unordered;
/** Number of times that something is killed or frozen. */
const faults = 14;
const drainMs = 90_000;

/**
 * Kills and freezes workers and kills Postgres, with a receiver that fails, hangs and resets, while
 * thousands of callbacks are delivered. The test starts servers of its own, because it breaks them.
 */
describeWithPostgres('chaos', () => {
  let server: PostgresServer;
  let db: Database;
  let receiver: ReceiverProcess;
  const workers: RunningProcess[] = [];

  beforeAll(async () => {
    server = await startPostgres();
    db = await openPostgres({ url: server.url });
    await migrate(db, workerMigrations);
    receiver = await startReceiverProcess({
      seed: 7,
      rates: { fail: 0.05, hang: 0.005, reset: 0.02 },
    });
  }, 60_000);
  afterAll(async () => {
    await Promise.all(workers.map((worker) => worker.close()));
    await receiver?.close();
    await db?.close();
    await server?.close();
  }, 60_000);

  const startWorker = async (): Promise<RunningProcess> => {
    const worker = await startProcess({
      args: [fileURLToPath(new URL('../dist/main.js', import.meta.url))],
      env: {
        DATABASE_URL: server.url,
        POSTHASTE_SECRET_KEY: Buffer.alloc(32, 1).toString('base64'),
        POSTHASTE_ALLOW_LOOPBACK: 'true',
        POSTHASTE_CALLBACK_TIMEOUT: '1s',
        POSTHASTE_CALLBACK_LEASE: '3s',
        // Slow enough that attempts are under way at every moment.
        POSTHASTE_WORKER_CONCURRENCY: '16',
        POSTHASTE_WORKER_CONCURRENCY_PER_HOST: '16',
        POSTHASTE_WORKER_CONCURRENCY_PER_APPLICATION: '16',
        POSTHASTE_MIN_RETRY_DELAY: '30ms',
      },
      ready: /the worker delivers/,
    });
    workers.push(worker);
    return worker;
  };

  const request = (url: string, queue: string | undefined): CallbackRequest => ({
    application: 'chaos',
    queue,
    endpointId: undefined,
    url,
    origin: new URL(url).origin,
    method: 'POST',
    headers: undefined,
    body: Buffer.from('payload'),
    policy: { kind: 'phases', phases: [{ retries: 10_000, delayNs: 30_000_000n }] },
    timeoutMs: 1_000,
    secret: undefined,
    notificationEmail: undefined,
    expiresAt: undefined,
    deliverAfter: undefined,
    echo: 0,
  });

  const acceptAll = async (): Promise<void> => {
    const intake = new Intake(db);
    const item = (url: string, queue?: string): IntakeItem => ({
      id: newId(),
      request: request(url, queue),
      idempotency: undefined,
    });
    for (let n = 0; n < perQueue; n++) {
      const names = Array.from({ length: queues }, (_, q) => `q${q}`);
      await intake.addAll(names.map((name) => item(receiver.urlFor(name, n), name)));
    }
    await intake.addAll(Array.from({ length: unordered }, () => item(`${receiver.url}/unordered`)));
    await intake.close();
  };

  /** Counts callbacks that are still to be delivered. Rejects while the database cannot be reached. */
  const remaining = async (): Promise<number> => {
    const { rows } = await db.query<{ left: number }>(
      `select ((select count(*) from callbacks.head) + (select count(*) from callbacks.waiting))::int
         as left`,
    );
    return rows[0]?.left ?? 0;
  };

  const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

  const makeChaos = async (): Promise<void> => {
    const random = seededRandom(11);
    const living = [await startWorker(), await startWorker(), await startWorker()];
    for (let round = 0; round < faults; round++) {
      await sleep(300 + random() * 500);
      const index = Math.floor(random() * living.length);
      const victim = living[index];
      if (round % 7 === 3) {
        await server.kill();
        await server.start();
      } else if (round % 5 === 2 && victim) {
        // Longer than the lease: it continues with deliveries that others have taken over.
        await victim.pause();
        setTimeout(() => victim.resume(), 4_500);
      } else if (victim) {
        await victim.kill();
        living[index] = await startWorker();
      }
    }
  };

  it('loses nothing, keeps every queue in order, and repeats only attempts without an answer', async () => {
    await acceptAll();
    await makeChaos();
    const until = Date.now() + drainMs;
    while (Date.now() < until && (await remaining().catch(() => 1)) > 0) await sleep(250);

    expect(await remaining()).toBe(0);
    const { rows } = await db.query<{ delivered: number; unanswered: number }>(
      `select count(*) filter (where ending = 'delivered')::int as delivered,
         count(*) filter (where status_code = 0)::int as unanswered
       from callbacks.history`,
    );
    const summary = await receiver.summary();
    expect(rows[0]?.delivered).toBe(total);
    expect(summary).toMatchObject({ accepted: total, early: 0, late: 0 });
    expect(summary.duplicates).toBeLessThanOrEqual(rows[0]?.unanswered ?? 0);
  }, 180_000);
});
