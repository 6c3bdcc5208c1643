import { describe, expect, it, vi } from 'vitest';
import type { OutgoingRecord } from '../../../record.js';
import { OrderedAppends, type SendState } from './ordered-appends.js';

const record = (): OutgoingRecord => ({ key: null, value: Buffer.from('v'), headers: {} });

/** Responses of a broker that a test settles. */
function setUp(markSent = true): {
  appends: OrderedAppends;
  requests: (SendState & PromiseWithResolvers<void>)[];
} {
  const requests: (SendState & PromiseWithResolvers<void>)[] = [];
  const appends = new OrderedAppends((_, state) => {
    state.sent = markSent;
    const response = Promise.withResolvers<void>();
    requests.push(Object.assign(state, response));
    return response.promise;
  });
  return { appends, requests };
}

const request = (records: OutgoingRecord[], timeoutMs = 20) => ({
  topic: 't',
  partition: 0,
  records,
  timeoutMs,
});

describe('appends in order', () => {
  it('fail when a request was not sent in time, and keep it from being sent later', async () => {
    const { appends, requests } = setUp(false);
    await expect(appends.append(request([record()]))).rejects.toMatchObject({
      code: 'STREAM_UNAVAILABLE',
    });
    expect(requests[0]?.expired).toBe(true);
  });

  it('do not send a request while an earlier one may still be written', async () => {
    const { appends, requests } = setUp();
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
    expect(requests).toHaveLength(1);
    requests[0]?.reject(new Error('refused'));
    const third = appends.append(request(second, 1_000));
    await expect.poll(() => requests.length).toBe(2);
    requests[1]?.resolve();
    await third;
  });

  it('do not write records again that turn out to be written', async () => {
    const { appends, requests } = setUp();
    const records = [record()];
    await expect(appends.append(request(records))).rejects.toMatchObject({
      code: 'EVENT_OUTCOME_UNKNOWN',
    });
    requests[0]?.resolve();
    await appends.append(request([...records]));
    expect(requests).toHaveLength(1);
  });

  it('do not write some of the records again if all turn out to be written', async () => {
    const { appends, requests } = setUp();
    const [first, second] = [record(), record()];
    await expect(appends.append(request([first, second]))).rejects.toMatchObject({
      code: 'EVENT_OUTCOME_UNKNOWN',
    });
    requests[0]?.resolve();
    await appends.append(request([second]));
    expect(requests).toHaveLength(1);
  });

  it('do not wait for ever for a response that never comes', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] });
    try {
      const { appends, requests } = setUp();
      const records = [record()];
      for (const afterMs of [0, 60_000, 60_000]) {
        await vi.advanceTimersByTimeAsync(afterMs);
        const appended = expect(appends.append(request(records))).rejects.toMatchObject({
          code: 'EVENT_OUTCOME_UNKNOWN',
        });
        await vi.advanceTimersByTimeAsync(20);
        await appended;
      }
      expect(requests).toHaveLength(1);
      const appended = appends.append(request(records));
      await vi.advanceTimersByTimeAsync(0);
      expect(requests).toHaveLength(2);
      requests[1]?.resolve();
      await appended;
    } finally {
      vi.useRealTimers();
    }
  });
});
