import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { expect, it } from 'vitest';
import { acceptOne, attemptWith, claim, delivered, record } from '../../test/live-callbacks.js';
import { useEmptiedStore } from '../../test/test-store.js';
import { insertEndings, recordResults } from '../results/result-store.js';
import { findCallback } from './read-store.js';

describeWithPostgres('read store', () => {
  const store = useEmptiedStore();
  it('finds a callback with its whole request', async () => {
    const expiresAt = new Date(Date.now() + 60_000);
    const id = await acceptOne(store.db, {
      application: 'shop',
      queue: 'orders',
      url: 'https://example.com/a?b=c',
      method: 'PUT',
      headers: { 'X-One': 'v' },
      body: Buffer.from([0, 255]),
      policy: { kind: 'phases', phases: [{ retries: 2, delayNs: 9_007_199_254_740_993n }] },
      timeoutMs: 1_234,
      secret: 'main',
      notificationEmail: 'a@example.com',
      expiresAt,
    });
    expect(await findCallback(store.db, id.replaceAll('-', '').toUpperCase(), 'all')).toEqual({
      id,
      application: 'shop',
      queue: 'orders',
      endpointId: undefined,
      state: 'pending',
      hold: undefined,
      cancelling: false,
      request: {
        url: 'https://example.com/a?b=c',
        method: 'PUT',
        headers: { 'X-One': 'v' },
        body: Buffer.from([0, 255]),
        policy: { kind: 'phases', phases: [{ retries: 2, delayNs: 9_007_199_254_740_993n }] },
        timeoutMs: 1_234,
        secret: 'main',
        notificationEmail: 'a@example.com',
      },
      createdAt: expect.any(Date),
      expiresAt,
      dueAt: expect.any(Date),
      endedAt: undefined,
      attempts: [],
      leases: [],
      shortened: false,
    });
  });

  it('finds nothing for an unknown id, or for text that is not an id', async () => {
    expect(await findCallback(store.db, crypto.randomUUID(), 'all')).toBeUndefined();
    expect(await findCallback(store.db, "'; drop table", 'all')).toBeUndefined();
  });

  it('shows attempts and leases, the running one included', async () => {
    const id = await acceptOne(store.db, { queue: 'orders' });
    const first = await claim(store.db);
    await record(store.db, first, { kind: 'retry', delayNs: 0n });
    await store.db.query('update callbacks.head set ready = true');
    await claim(store.db);
    const view = await findCallback(store.db, id, 'all');
    const { startedAtMs: _, ...attempt } = attemptWith(500);
    expect(view).toMatchObject({ state: 'leased', dueAt: undefined, attempts: [attempt] });
    expect(view?.attempts[0]?.startedAtMs).toBeCloseTo(Date.now(), -4);
    expect(view?.leases).toMatchObject([
      { step: 1, machine: 'test worker', completedAt: expect.any(Date) },
      { step: 2, machine: 'test worker', completedAt: undefined },
    ]);
  });

  it.each([undefined, 'orders'])('shows no attempt before its lease in queue %s', async (queue) => {
    const id = await acceptOne(store.db, queue === undefined ? {} : { queue });
    const [delivery] = await claim(store.db);
    if (!delivery) throw new Error('nothing is due');
    const attempt = { ...attemptWith(200), startedAtMs: Date.now() - 60_000 };
    const result = { delivery, attempt, verdict: delivered, keepLease: false };
    if (queue === undefined) await insertEndings(store.db, [result]);
    else await recordResults(store.db, [result], 1_000);
    const view = await findCallback(store.db, id, 'all');
    expect(view?.attempts[0]?.startedAtMs).toBeGreaterThanOrEqual(
      view?.leases[0]?.acquiredAt.getTime() ?? Number.NaN,
    );
  });

  it('shows a lease without an attempt when nothing was sent', async () => {
    const id = await acceptOne(store.db);
    const [delivery] = await claim(store.db);
    if (!delivery) throw new Error('nothing is due');
    const result = {
      delivery,
      attempt: undefined,
      verdict: { kind: 'release' },
      keepLease: false,
    } as const;
    await recordResults(store.db, [result], 1_000);
    expect(await findCallback(store.db, id, 'all')).toMatchObject({
      state: 'pending',
      attempts: [],
      leases: [{ step: 1 }],
    });
  });

  it('shows the last 1,000 steps of a long history', async () => {
    const id = await acceptOne(store.db);
    await store.db.query(
      `with head as (update callbacks.head set step = 1200 where callback_id = $1)
       insert into callbacks.history (callback_id, step, status_code, started_at)
       select $1, step, 503, now() from generate_series(1, 1200) step`,
      [id],
    );
    const view = await findCallback(store.db, id, 'all');
    expect(view?.shortened).toBe(true);
    expect(view?.attempts.map(({ step }) => step)).toEqual(
      Array.from({ length: 1_000 }, (_, i) => 201 + i),
    );
  });
});
