import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type Consuming,
  createManualCallback,
  rawHandler,
  registration,
  startConsuming,
  untilCommitted,
} from '../../test/consuming.js';
import { storedRecord } from '../../test/manual-driver.js';
import { until } from '../../test/until.js';

let consuming: Consuming;
beforeEach(() => {
  consuming = startConsuming();
});
afterEach(() => consuming.consumers.close({ drainMs: 0 }));

const stop = new Error('stop');

describe('cancelling the context of a subscription', () => {
  it('notifies the handler once, with the reason, and leaves', async () => {
    const controller = new AbortController();
    const callback = vi.fn();
    const fields = { signal: controller.signal };
    const registered = consuming.consumers.register(registration('login', callback, fields));
    controller.abort(stop);
    await registered.close();
    expect(callback).toHaveBeenCalledExactlyOnceWith(
      { signal: controller.signal, groupId: 'game.mail', record: undefined, attempt: 0 },
      null,
      stop,
    );
    expect(consuming.main.closed).toBe(true);
    expect(consuming.consumers.status()).toEqual([]);
  });

  it('notifies a raw handler too, and ignores its failure', async () => {
    const controller = new AbortController();
    const callback = vi.fn(() => {
      throw new Error('late');
    });
    const fields = { signal: controller.signal };
    consuming.consumers.register(registration('login', rawHandler(callback), fields));
    controller.abort(stop);
    await consuming.consumers.close();
    expect(callback).toHaveBeenCalledTimes(1);
  });

  it('before the registration joins nothing', () => {
    const callback = vi.fn();
    const fields = { signal: AbortSignal.abort(stop) };
    consuming.consumers.register(registration('login', callback, fields));
    expect(callback).toHaveBeenCalledTimes(1);
    expect(consuming.subscriptions).toEqual([]);
  });

  it('aborts the calls in progress, and commits those that still succeed', async () => {
    const controller = new AbortController();
    const { callback, pending } = createManualCallback();
    const fields = { signal: controller.signal, commitIntervalMs: 60_000 };
    consuming.consumers.register(registration('login', callback, fields));
    consuming.main.handler.assigned([0]);
    await consuming.deliver([storedRecord(0, {}), storedRecord(1, {})]);
    const call = pending.get('id-0');
    controller.abort(stop);
    expect(call?.signal.aborted).toBe(true);
    expect(call?.signal.reason).toBe(stop);
    call?.done();
    await consuming.consumers.close();
    expect(consuming.main.committed.get(0)).toBe(1n);
    expect(pending.has('id-1')).toBe(false);
  });

  it('leaves an event that fails after that to the next consumer', async () => {
    const controller = new AbortController();
    const { callback, pending } = createManualCallback();
    const fields = { signal: controller.signal, retry: { maxAttempts: 1 } };
    consuming.consumers.register(registration('login', callback, fields));
    consuming.main.handler.assigned([0]);
    await consuming.deliver([storedRecord(0, {})]);
    const call = pending.get('id-0');
    controller.abort(stop);
    call?.fail(stop);
    await consuming.consumers.close();
    expect(consuming.main.commits).toEqual([]);
    expect(consuming.appender.appended).toEqual([]);
  });

  it('of one name leaves the other names working', async () => {
    const controller = new AbortController();
    const other = vi.fn();
    const { callback, pending } = createManualCallback();
    consuming.consumers.register(registration('login', callback, { signal: controller.signal }));
    consuming.consumers.register(registration('logout', other));
    consuming.main.handler.assigned([0]);
    await consuming.deliver([storedRecord(0, {}), storedRecord(1, { name: 'logout' })]);
    const call = pending.get('id-0');
    controller.abort(stop);
    call?.fail(stop);
    await untilCommitted(consuming.main, 2);
    expect(other).toHaveBeenCalledTimes(1);
    expect(consuming.main.closed).toBe(false);
    expect(consuming.reports.lines).toEqual(['0 skipped', '1 handled']);
  });

  it('of one of two equal registrations leaves the event to the other', async () => {
    const controller = new AbortController();
    const { callback, pending } = createManualCallback();
    consuming.consumers.register(registration('login', callback, { signal: controller.signal }));
    consuming.consumers.register(registration('login', callback));
    consuming.main.handler.assigned([0]);
    await consuming.deliver([storedRecord(0, {}), storedRecord(1, {})]);
    pending.get('id-0')?.done();
    await until(() => expect(pending.has('id-1')).toBe(true));
    const call = pending.get('id-1');
    controller.abort(stop);
    call?.fail(stop);
    await until(() => expect(pending.has('id-1')).toBe(true));
    pending.get('id-1')?.done();
    await untilCommitted(consuming.main, 2);
  });

  it('of all at once commits nothing that was not handled', async () => {
    const controller = new AbortController();
    const { callback, pending } = createManualCallback();
    for (const name of ['login', 'logout']) {
      consuming.consumers.register(registration(name, callback, { signal: controller.signal }));
    }
    consuming.main.handler.assigned([0, 1]);
    await consuming.deliver([storedRecord(0, {})]);
    await consuming.deliver([storedRecord(5, { name: 'logout', partition: 1 })], 1);
    const calls = [...pending.values()];
    expect(calls).toHaveLength(2);
    controller.abort(stop);
    for (const call of calls) call.fail(stop);
    await consuming.consumers.close();
    expect(consuming.main.commits).toEqual([]);
  });
});

describe('closing', () => {
  it('finishes running calls within the given time, commits and leaves', async () => {
    const { callback, pending } = createManualCallback();
    const fields = { commitIntervalMs: 60_000 };
    consuming.consumers.register(registration('login', callback, fields));
    consuming.main.handler.assigned([0]);
    await consuming.deliver([storedRecord(0, {}), storedRecord(1, {})]);
    const closed = consuming.consumers.close({ drainMs: 5_000 });
    pending.get('id-0')?.done();
    await closed;
    await consuming.consumers.close();
    expect(consuming.main.committed.get(0)).toBe(1n);
    expect(consuming.main.closed).toBe(true);
    expect(() => consuming.consumers.register(registration('x', () => undefined))).toThrow(
      expect.objectContaining({ code: 'STREAM_CLOSED' }),
    );
  });

  it('takes no more time than given', async () => {
    const { callback } = createManualCallback();
    consuming.consumers.register(registration('login', callback));
    consuming.main.handler.assigned([0]);
    await consuming.deliver([storedRecord(0, {})]);
    const began = Date.now();
    await consuming.consumers.close({ drainMs: 50 });
    expect(Date.now() - began).toBeLessThan(5_000);
    expect(consuming.main.commits).toEqual([]);
  });

  it('shortens the drain time of a consumer that is leaving already', async () => {
    const { callback } = createManualCallback();
    const registered = consuming.consumers.register(registration('login', callback));
    consuming.main.handler.assigned([0]);
    await consuming.deliver([storedRecord(0, {})]);
    const began = Date.now();
    const left = registered.close();
    await consuming.consumers.close({ drainMs: 50 });
    await left;
    expect(Date.now() - began).toBeLessThan(5_000);
    expect(consuming.main.closed).toBe(true);
  });

  it.each(['the client', 'the subscription'])(
    '%s removes the listener from a signal that outlives it',
    async (what) => {
      const controller = new AbortController();
      const callback = vi.fn();
      const fields = { signal: controller.signal };
      const registered = consuming.consumers.register(registration('login', callback, fields));
      expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
      await (what === 'the client' ? consuming.consumers : registered).close();
      expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
      controller.abort(stop);
      expect(callback).not.toHaveBeenCalled();
    },
  );

  it('the last callback lets another consumer of the same group begin', async () => {
    const { callback, pending } = createManualCallback();
    const first = consuming.consumers.register(registration('login', callback));
    consuming.main.handler.assigned([0]);
    await consuming.deliver([storedRecord(0, {})]);
    const closed = first.close();
    consuming.consumers.register(registration('login', () => undefined, { concurrency: 9 }));
    expect(consuming.subscriptions).toHaveLength(2);
    pending.get('id-0')?.done();
    await closed;
    expect(consuming.main.committed.get(0)).toBe(1n);
    expect(consuming.consumers.status()).toHaveLength(1);
  });
});
