import { afterAll, beforeAll, describe, expect, it } from 'vitest';
// The built code, because the process that it starts is built.
import { awaitArrivals } from '../dist/arrivals.js';
import { type Receiver, startReceiver } from '../dist/receiver/receiver.js';
import { startProcess } from '../dist/service-process.js';

describe.runIf(process.platform === 'linux')('awaitArrivals', () => {
  let receiver: Receiver;
  beforeAll(async () => {
    receiver = await startReceiver();
  });
  afterAll(() => receiver.close());

  it('fails if the worker ends before everything has arrived', async () => {
    const script = new URL('../test/short-process.mjs', import.meta.url).pathname;
    const worker = await startProcess(script, []);
    const arrivals = awaitArrivals(receiver, worker, receiver.reached(1));
    await expect(arrivals).rejects.toThrow('the worker ended');
  });
});
