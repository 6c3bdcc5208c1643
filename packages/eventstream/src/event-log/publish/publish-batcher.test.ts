import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { eventOf, namesIn, openTestEventLog } from '../../../test/open-event-log.js';
import type { TestLog } from '../../../test/open-log.js';
import { PublishBatcher } from './publish-batcher.js';
import type { SubmittedEvent } from './publish-once.js';

function submit(name: string, id = ''): SubmittedEvent {
  return { event: eventOf({ name, id }), within: 'all' };
}

describeWithPostgres('a batcher of events', () => {
  let test: TestLog;
  let batcher: PublishBatcher;
  let transactions: { readonly mock: { readonly calls: readonly unknown[] } };

  beforeEach(async () => {
    test = await openTestEventLog('postgres');
    transactions = vi.spyOn(test.db, 'transaction');
    batcher = new PublishBatcher(test);
  });
  afterEach(() => test.close());

  it('publishes calls of the same time together, in their order', async () => {
    const calls = Array.from({ length: 100 }, (_, i) => batcher.publish([submit(`e${i}`)]));
    const outcomes = (await Promise.all(calls)).flat();
    expect(transactions.mock.calls.length).toBeLessThan(5);
    expect(outcomes).toMatchObject(
      outcomes.map((_, i) => ({ topic: 'orders', offset: BigInt(i) })),
    );
    expect(await namesIn(test)).toEqual(outcomes.map((_, i) => `e${i}`));
  });

  it('gives each call its own outcomes', async () => {
    const [one, two, three, four] = await Promise.all([
      batcher.publish([submit('a', 'same'), submit('b')]),
      batcher.publish([]),
      batcher.publish([submit('a', 'same')]),
      batcher.publish([submit('c', 'same')]),
    ]);
    expect(one).toMatchObject([{ repeated: false }, { repeated: false }]);
    expect(two).toEqual([]);
    expect(three).toMatchObject([{ id: 'same', repeated: true, offset: 0n }]);
    expect(four).toMatchObject([{ code: 'EVENT_ID_REUSED' }]);
    expect(await namesIn(test)).toEqual(['a', 'b']);
  });

  it('rejects only the call whose events the database refuses', async () => {
    const bad = submit('bad');
    const broken = { ...bad, event: { ...bad.event, topic: 'x'.repeat(300) } };
    const calls = [[submit('a')], [broken], [submit('b')]].map((events) => batcher.publish(events));
    const [a, refused, b] = await Promise.allSettled(calls);
    expect([a?.status, b?.status]).toEqual(['fulfilled', 'fulfilled']);
    expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'EVENT_INVALID' } });
    expect(await namesIn(test)).toEqual(['a', 'b']);
  });

  it.each([
    [100, undefined],
    [10, 1_000_000],
  ])(
    'refuses what exceeds the bytes that may wait: %i calls, maxWaitingBytes %j',
    async (calls, maxWaitingBytes) => {
      const small = new PublishBatcher(test, { maxWaitingBytes });
      const large = submit('large');
      const big = { ...large, event: { ...large.event, value: Buffer.alloc(1_000_000, 'x') } };
      const outcomes = await Promise.allSettled(
        Array.from({ length: calls }, () => small.publish([big])),
      );
      const refused = outcomes.filter(({ status }) => status === 'rejected');
      expect(refused.length).toBeGreaterThanOrEqual(calls === 100 ? 11 : 8);
      for (const outcome of refused)
        expect(outcome).toMatchObject({ reason: { code: 'OVERLOADED' } });
      await small.publish([submit('later')]);
    },
  );

  it('publishes what it has accepted before it closes', async () => {
    const calls = Array.from({ length: 20 }, (_, i) => batcher.publish([submit(`e${i}`)]));
    await Promise.all([batcher.close(), batcher.close()]);
    await Promise.all(calls);
    expect(await namesIn(test)).toHaveLength(20);
    await expect(batcher.publish([submit('late')])).rejects.toMatchObject({ code: 'STOPPING' });
    await batcher.close();
  });
});
