import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
// The built code, because the process that it starts is built.
import { type Receiver, startReceiver } from '../../dist/receiver/receiver.js';

// Its second address, 127.0.0.2, exists without configuration on Linux only.
describe.runIf(process.platform === 'linux')('the receiver', () => {
  let receiver: Receiver;
  beforeAll(async () => {
    receiver = await startReceiver();
  });
  afterAll(() => receiver.close());
  beforeEach(() => receiver.reset());

  it('responds with 200 and reports when a count is reached', async () => {
    const before = process.hrtime.bigint();
    const reached = receiver.reached(2);
    const answers = await Promise.all([1, 2].map(() => fetch(receiver.url, { method: 'POST' })));
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(await reached).toBeGreaterThan(before);
    expect(await receiver.counts()).toMatchObject({ delivered: 2, unavailable: 0 });
  });

  it('responds with 503 on another host', async () => {
    expect((await fetch(receiver.unavailableUrl)).status).toBe(503);
    expect(new URL(receiver.unavailableUrl).hostname).not.toBe(new URL(receiver.url).hostname);
    expect(await receiver.counts()).toMatchObject({ delivered: 0, unavailable: 1 });
  });

  it('leaves requests without a response', async () => {
    const signal = AbortSignal.timeout(200);
    await expect(fetch(receiver.hangUrl, { signal })).rejects.toThrow('timeout');
    expect(await receiver.counts()).toMatchObject({ delivered: 0, hanging: 1 });
  });
});
