import { describe, expect, it, vi } from 'vitest';
import type { OutgoingRecord } from '../../../record.js';
import { OrderedAppends, type SendState } from './ordered-appends.js';

const record = (): OutgoingRecord => ({ key: null, value: Buffer.from('v'), headers: {} });

/** Answers of a broker that come when the test lets them. */
function setUp(markSent = true): {
  appends: OrderedAppends;
  attempts: (SendState & PromiseWithResolvers<void>)[];
} {
  const attempts: (SendState & PromiseWithResolvers<void>)[] = [];
  const appends = new OrderedAppends((_, attempt) => {
    attempt.sent = markSent;
    const answer = Promise.withResolvers<void>();
    attempts.push(Object.assign(attempt, answer));
    return answer.promise;
  });
  return { appends, attempts };
}

const request = (records: OutgoingRecord[], timeoutMs = 20) => ({
  topic: 't',
  partition: 0,
  records,
  timeoutMs,
});

describe('appends in order', () => {
  it('tell that a request was not sent in time, and lets it not be sent any more', async () => {
    const { appends, attempts } = setUp(false);
    await expect(appends.append(request([record()]))).rejects.toMatchObject({
      code: 'STREAM_UNAVAILABLE',
    });
    expect(attempts[0]?.expired).toBe(true);
  });

  it('do not send a request while an earlier one may still be written', async () => {
    const { appends, attempts } = setUp();
    const [first, second] = [[record()], [record()]];
    await expect(appends.append(request(first))).rejects.toMatchObject({
      code: 'EVENT_OUTCOME_UNKNOWN',
    });
    await expect(appends.append(request(second))).rejects.toMatchObject({
      code: 'STREAM_UNAVAILABLE',
    });
    await expect(appends.append(request(first))).rejects.toMatchObject({
      code: 'EVENT_OUTCOME_UNKNOWN',
    });
    expect(attempts).toHaveLength(1);
    attempts[0]?.reject(new Error('refused'));
    const third = appends.append(request(second, 1_000));
    await expect.poll(() => attempts.length).toBe(2);
    attempts[1]?.resolve();
    await third;
  });

  it('do not write again what turns out to have been written', async () => {
    const { appends, attempts } = setUp();
    const records = [record()];
    await expect(appends.append(request(records))).rejects.toMatchObject({
      code: 'EVENT_OUTCOME_UNKNOWN',
    });
    attempts[0]?.resolve();
    await appends.append(request([...records]));
    expect(attempts).toHaveLength(1);
  });

  it('do not write again a part of what turns out to have been written', async () => {
    const { appends, attempts } = setUp();
    const [first, second] = [record(), record()];
    await expect(appends.append(request([first, second]))).rejects.toMatchObject({
      code: 'EVENT_OUTCOME_UNKNOWN',
    });
    attempts[0]?.resolve();
    await appends.append(request([second]));
    expect(attempts).toHaveLength(1);
  });

  it('do not wait for ever for an answer that never comes', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] });
    try {
      const { appends, attempts } = setUp();
      const records = [record()];
      for (const afterMs of [0, 60_000, 60_000]) {
        await vi.advanceTimersByTimeAsync(afterMs);
        const appended = expect(appends.append(request(records))).rejects.toMatchObject({
          code: 'EVENT_OUTCOME_UNKNOWN',
        });
        await vi.advanceTimersByTimeAsync(20);
        await appended;
      }
      expect(attempts).toHaveLength(1);
      const appended = appends.append(request(records));
      await vi.advanceTimersByTimeAsync(0);
      expect(attempts).toHaveLength(2);
      attempts[1]?.resolve();
      await appended;
    } finally {
      vi.useRealTimers();
    }
  });
});
