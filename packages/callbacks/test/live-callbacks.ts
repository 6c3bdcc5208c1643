import { randomUUID } from 'node:crypto';
import { createIdSource, newId } from '@posthaste/contracts';
import {
  type Database,
  migrate,
  openEmbedded,
  openPostgres,
  type Transaction,
} from '@posthaste/postgres';
import { createTestDatabase } from '@posthaste/testbed';
import type { Attempt, Delivery, FailureReason, Verdict } from '../src/delivery/delivery.js';
import { claimDeliveries } from '../src/dispatch/claim-store.js';
import { storeCallbacks } from '../src/intake/intake-store.js';
import { callbacksMigrations } from '../src/migrations.js';
import { type CallbackInput, toCallbackRequest } from '../src/request/request.js';
import { lockHeads, type RecordedResult, recordResults } from '../src/results/result-store.js';

/** Migrated database of one suite, on either engine. */
export interface TestStore {
  readonly db: Database;
  close(): Promise<void>;
}

export async function openTestStore(
  engine: 'postgres' | 'embedded' = 'postgres',
): Promise<TestStore> {
  if (engine === 'embedded') {
    const db = await openEmbedded({});
    await migrate(db, [callbacksMigrations]);
    return { db, close: () => db.close() };
  }
  const database = await createTestDatabase();
  const db = await openPostgres({ url: database.url, maxConnections: 16 });
  await migrate(db, [callbacksMigrations]);
  return {
    db,
    close: async () => {
      await db.close();
      await database.drop();
    },
  };
}

/** Fields of a callback that a test sets. The time in its id is `acceptedAt`. */
export type TestCallback = Partial<CallbackInput> & { readonly acceptedAt?: Date | undefined };

const rules = { defaultTimeoutMs: 15_000, maxTimeoutMs: 30_000, urlFault: () => undefined };

/** Stores callbacks with one statement; returns their ids. */
export async function accept(
  db: Database,
  ...callbacks: readonly TestCallback[]
): Promise<string[]> {
  const items = callbacks.map(({ acceptedAt, ...input }) => ({
    id: acceptedAt ? createIdSource(() => acceptedAt.getTime())() : newId(),
    request: toCallbackRequest({ url: 'http://example.com/hook', ...input }, rules),
    idempotency: undefined,
  }));
  await storeCallbacks(db, items, false);
  return items.map(({ id }) => id);
}

/** Stores one callback; returns its id. */
export async function acceptOne(db: Database, callback: TestCallback = {}): Promise<string> {
  const [id] = await accept(db, callback);
  if (id === undefined) throw new Error('no callback was stored');
  return id;
}

/** Leases callbacks that are due, as a worker does. */
export async function claim(db: Database, limit = 100, leaseMs = 60_000): Promise<Delivery[]> {
  const { deliveries } = await claimDeliveries(db, {
    holder: 'test worker',
    leaseToken: randomUUID(),
    leaseMs,
    limit,
    afterKey: '',
    origins: new Map(),
    applications: new Map(),
    fairnessKeys: new Map(),
    originDefault: limit,
    applicationDefault: limit,
    fairnessKeyDefault: limit,
  });
  return [...deliveries];
}

/** Returns an attempt with this status; 0 means that there was no answer. */
export function attemptWith(statusCode: number): Attempt {
  return {
    startedAtMs: Date.now(),
    durationNs: 1_000_000n,
    statusCode,
    reason: reasonOf(statusCode),
    detail: statusCode === 200 ? undefined : 'the attempt failed',
    responseHeaders: [['content-type', 'text/plain']],
    responseBody: Buffer.from('answer'),
    truncated: false,
    cut: false,
    resent: false,
  };
}

function reasonOf(statusCode: number): FailureReason | undefined {
  if (statusCode === 0) return 'timeout';
  return statusCode === 200 ? undefined : 'status';
}

export const delivered: Verdict = { kind: 'ended', ending: 'delivered' };
export const failed: Verdict = { kind: 'ended', ending: 'failed' };
export const retryLater: Verdict = { kind: 'retry', delayNs: 3_600_000_000_000n };

/** Records results as a worker does for ordered queues, with a status that fits the verdict. */
export function record(
  db: Database,
  deliveries: readonly Delivery[],
  verdict: Verdict,
): Promise<RecordedResult[]> {
  return recordAnswer(db, deliveries, { verdict, statusCode: verdict === delivered ? 200 : 500 });
}

/** Records results as {@link record} does, with this status code. */
export function recordAnswer(
  db: Database,
  deliveries: readonly Delivery[],
  { verdict, statusCode }: { readonly verdict: Verdict; readonly statusCode: number },
): Promise<RecordedResult[]> {
  const attempt = attemptWith(statusCode);
  const results = deliveries.map((delivery) => ({ delivery, attempt, verdict, keepLease: false }));
  return db.transaction(async (tx) => {
    await lockHeads(tx, results);
    return recordResults(tx, results, 60_000);
  });
}

/** Claims and ends callbacks until none is due; returns their ids in that order. */
export async function work(db: Database, verdict: Verdict = delivered): Promise<string[]> {
  const done: string[] = [];
  for (;;) {
    const deliveries = await claim(db);
    if (deliveries.length === 0) return done;
    await record(db, deliveries, verdict);
    done.push(...deliveries.map(({ callbackId }) => callbackId));
  }
}

/**
 * Returns violations of the tables' invariants: a queue with waiting callbacks has a head, no
 * callback is in two tables, no step is used twice, and no callback is lost.
 */
export async function findFaults(db: Database): Promise<unknown[]> {
  const { rows } = await db.query(`
    select 'no head' as fault, w.application, w.queue, w.callback_id from callbacks.waiting w
    where not exists (select from callbacks.head h
      where h.application = w.application and h.queue = w.queue)
    union all
    select 'in two tables', w.application, w.queue, w.callback_id
    from callbacks.waiting w join callbacks.head h on h.callback_id = w.callback_id
    union all
    select 'step used already', h.application, h.queue, h.callback_id
    from callbacks.head h join callbacks.history y on y.callback_id = h.callback_id
    where y.step > h.step or (h.lease_token is not null and y.step = h.step)
    union all
    select 'lost', r.application, r.queue, r.id from callbacks.request r
    where not exists (select from callbacks.head h where h.callback_id = r.id)
      and not exists (select from callbacks.waiting w where w.callback_id = r.id)
      and not exists (select from callbacks.history y
        where y.callback_id = r.id and y.ending is not null)`);
  return rows;
}

/** Returns the same database with `around` called around each transaction's work. */
export function aroundTransactions(
  db: Database,
  around: <T>(tx: Transaction, work: (tx: Transaction) => Promise<T>) => Promise<T>,
): Database {
  return {
    kind: db.kind,
    query: (statement, values) => db.query(statement, values),
    transaction: (work) => db.transaction((tx) => around(tx, work)),
    listen: (channel, onNotification, onReconnect) =>
      db.listen(channel, onNotification, onReconnect),
    ping: () => db.ping(),
    poolStats: () => db.poolStats(),
    close: () => db.close(),
  };
}
