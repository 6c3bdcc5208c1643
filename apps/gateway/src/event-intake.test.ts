import { PostgresLog } from '@posthaste/eventstream';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openTestEvents, type TestEvents } from '../test/test-events.js';
import { EventIntake } from './event-intake.js';
import { toEventToPublish } from './event-to-publish.js';
import type { HandedInEvent } from './publish-once.js';

function event(name: string, id = ''): HandedInEvent {
  const envelope = { id, name, namespace: '', timestamp: '', version: 1 };
  const address = { topic: 't', key: 'k', traceparent: undefined };
  return { event: toEventToPublish(envelope, address), idempotency: undefined };
}

describeWithPostgres('the intake of events', () => {
  let gateway: TestEvents;
  let intake: EventIntake;
  let transactions: { readonly mock: { readonly calls: readonly unknown[] } };
  const namesOf = async () =>
    (await gateway.log.listEvents({ topics: ['t'], limit: 1_000 })).records.map(({ value }) => {
      return JSON.parse(String(value)).name as string;
    });

  beforeEach(async () => {
    gateway = await openTestEvents();
    transactions = vi.spyOn(gateway.db, 'transaction');
    intake = new EventIntake({
      db: gateway.db,
      log: new PostgresLog({ db: gateway.db }),
      maxTopics: 1_000,
    });
  });
  afterEach(() => gateway.close());

  it('publishes what comes at the same time together, in its order', async () => {
    const calls = Array.from({ length: 100 }, (_, i) => intake.publish([event(`e${i}`)]));
    const outcomes = (await Promise.all(calls)).flat();
    expect(transactions.mock.calls.length).toBeLessThan(5);
    expect(outcomes).toMatchObject(outcomes.map((_, i) => ({ topic: 't', offset: BigInt(i) })));
    expect(await namesOf()).toEqual(outcomes.map((_, i) => `e${i}`));
  });

  it('gives each call its own outcomes', async () => {
    const [one, two, three, four] = await Promise.all([
      intake.publish([event('a', 'same'), event('b')]),
      intake.publish([]),
      intake.publish([event('a', 'same')]),
      intake.publish([event('c', 'same')]),
    ]);
    expect(one).toMatchObject([{ repeated: false }, { repeated: false }]);
    expect(two).toEqual([]);
    expect(three).toMatchObject([{ id: 'same', repeated: true, offset: 0n }]);
    expect(four).toMatchObject([{ code: 'EVENT_ID_REUSED' }]);
    expect(await namesOf()).toEqual(['a', 'b']);
  });

  it('refuses alone what the database refuses', async () => {
    const bad = event('bad');
    const broken = { ...bad, event: { ...bad.event, topic: 'x'.repeat(300) } };
    const calls = [[event('a')], [broken], [event('b')]].map((events) => intake.publish(events));
    const [a, refused, b] = await Promise.allSettled(calls);
    expect([a?.status, b?.status]).toEqual(['fulfilled', 'fulfilled']);
    expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'EVENT_INVALID' } });
    expect(await namesOf()).toEqual(['a', 'b']);
  });

  it('takes no more than it can hold', async () => {
    const large = event('large');
    const big = { ...large, event: { ...large.event, value: Buffer.alloc(1_000_000, 'x') } };
    const calls = Array.from({ length: 100 }, () => intake.publish([big]));
    const outcomes = await Promise.allSettled(calls);
    const refused = outcomes.filter(({ status }) => status === 'rejected');
    expect(refused.length).toBeGreaterThan(10);
    for (const outcome of refused)
      expect(outcome).toMatchObject({ reason: { code: 'OVERLOADED' } });
    await intake.publish([event('later')]);
  });

  it('publishes what it has taken before it closes', async () => {
    const calls = Array.from({ length: 20 }, (_, i) => intake.publish([event(`e${i}`)]));
    await Promise.all([intake.close(), intake.close()]);
    await Promise.all(calls);
    expect(await namesOf()).toHaveLength(20);
    await expect(intake.publish([event('late')])).rejects.toMatchObject({ code: 'STOPPING' });
    await intake.close();
  });
});
