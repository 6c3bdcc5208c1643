import { describe, expect, it } from 'vitest';
import {
  accept,
  acceptOne,
  claim,
  failed,
  findFaults,
  record,
  work,
} from '../test/live-callbacks.js';
import { useSharedStore } from '../test/test-store.js';
import { cancelCallback, replayCallback, retryNow } from './actions/callback-actions.js';
import { stepReplay } from './actions/replay-steps.js';
import { createReplay } from './actions/replays.js';
import { findCallback, listCallbacks } from './lookup/read-store.js';
import { enqueueNotices, sendDueMail } from './mail/mail-outbox.js';
import { planMail } from './mail/mail-planner.js';
import {
  pauseQueue,
  reconcileQueues,
  resumeQueue,
  setQueuePolicy,
  unblockQueue,
} from './queues/queue-control.js';
import { getQueue, listQueues } from './queues/queues.js';
import { ensurePartitions } from './retention/partitions.js';
import { dropExpired, forgetIdempotencyKeys } from './retention/retention.js';

const orders = { application: 'shop', queue: 'orders' };
const dayMs = 86_400_000;

/** Runs every statement once on the embedded database: the other tests run on Postgres. */
describe('on the embedded database', () => {
  const store = useSharedStore('embedded');

  it('makes and drops partitions', async () => {
    expect(await ensurePartitions(store.db, { daysAhead: 1 })).toMatchObject([
      { kind: 'created' },
      { kind: 'created' },
    ]);
    await accept(store.db, { acceptedAt: new Date(Date.now() - 30 * dayMs) });
    expect(await ensurePartitions(store.db, { daysAhead: 2 })).toMatchObject([{ kind: 'created' }]);
    await work(store.db);
    expect(await dropExpired(store.db, { retentionDays: 7 })).toMatchObject({ deleted: 1 });
    await store.db.query(
      `create table callbacks.request_20200101 partition of callbacks.request
         for values from ('016f5e66-e800-7000-8000-000000000000')
         to ('016f638d-4400-7000-8000-000000000000');
       create table callbacks.history_20200101 partition of callbacks.history
         for values from ('016f5e66-e800-7000-8000-000000000000')
         to ('016f638d-4400-7000-8000-000000000000')`,
    );
    expect(await dropExpired(store.db, { retentionDays: 7 })).toMatchObject({
      days: [{ day: '20200101', kind: 'dropped' }],
    });
    expect(await forgetIdempotencyKeys(store.db, { retentionHours: 24 })).toBe(0);
  });

  it('controls queues and callbacks', async () => {
    await setQueuePolicy(store.db, orders, 'park');
    const [head = '', next = ''] = await accept(store.db, orders, orders);
    await record(store.db, await claim(store.db), failed);
    expect(await listQueues(store.db, { within: 'all', state: 'parked' }, {})).toMatchObject({
      items: [{ ...orders, depth: 2, head: { id: head } }],
    });
    await unblockQueue(store.db, { ...orders, mode: 'retry' });
    await record(store.db, await claim(store.db), failed);
    await unblockQueue(store.db, { ...orders, mode: 'skip' });
    await pauseQueue(store.db, orders);
    expect(await reconcileQueues(store.db)).toEqual({ held: 0, released: 0 });
    expect(await getQueue(store.db, orders)).toMatchObject({ state: 'paused', head: { id: next } });
    await resumeQueue(store.db, orders);
    expect(await cancelCallback(store.db, next, 'all')).toBe('cancelled');
    await replayCallback(store.db, next, 'all');
    await retryNow(store.db, next, 'all');
    expect(await work(store.db)).toEqual([next]);
    const { items } = await listCallbacks(
      store.db,
      { within: 'all', application: 'shop', state: 'failed' },
      {},
    );
    expect(items.map(({ id }) => id)).toEqual([head]);
    expect(await findCallback(store.db, head, 'all')).toMatchObject({
      attempts: [{ step: 1 }, { step: 2 }],
    });
    expect(await findFaults(store.db)).toEqual([]);
  });

  it('replays many', async () => {
    const id = await acceptOne(store.db, { application: 'many' });
    await work(store.db, failed);
    await createReplay(store.db, {
      within: 'all',
      filter: { state: 'failed', application: 'many' },
    });
    expect(await stepReplay(store.db, 10)).toMatchObject({ replayed: 1 });
    expect(await work(store.db)).toEqual([id]);
  });

  it('sends mails', async () => {
    const mail = { recipient: 'a@example.com', subject: 'Subject', body: 'Body' };
    await store.db.transaction((tx) => enqueueNotices(tx, [{ application: 'shop', ...mail }]));
    await planMail(store.db, { allowed: ['*@example.com'] });
    const sent: unknown[] = [];
    const mailer = { send: async (one: unknown) => void sent.push(one) };
    const logger = { warn: () => undefined, error: () => undefined };
    await sendDueMail(store.db, mailer, { logger });
    expect(sent).toEqual([mail]);
  });
});
