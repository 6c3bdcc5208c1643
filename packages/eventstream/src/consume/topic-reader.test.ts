import { PlatformError } from '@posthaste/contracts';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type Consuming,
  createManualCallback,
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

const login = (offset: number, key: string | null = null, partition = 0) =>
  storedRecord(offset, { key: key === null ? null : Buffer.from(key), partition });

async function pause(ms = 20): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

describe('concurrency', () => {
  it('handles one record of a partition at a time, and several partitions concurrently', async () => {
    const { callback, pending } = createManualCallback();
    consuming.consumers.register(registration('login', callback));
    consuming.main.handler.assigned([0, 1]);
    await consuming.deliver([login(0), login(1)]);
    await consuming.deliver([login(10, null, 1), login(11, null, 1)], 1);
    expect([...pending.keys()]).toEqual(['id-0', 'id-10']);
    pending.get('id-0')?.done();
    await until(() => expect([...pending.keys()]).toEqual(['id-10', 'id-1']));
  });

  it('handles different keys together, one key in order', async () => {
    const { callback, pending } = createManualCallback();
    consuming.consumers.register(registration('login', callback, { concurrency: 3 }));
    consuming.main.handler.assigned([0]);
    await consuming.deliver([login(0, 'a'), login(1, 'a'), login(2, 'b'), login(3), login(4)]);
    expect([...pending.keys()]).toEqual(['id-0', 'id-2', 'id-3']);
    pending.get('id-2')?.done();
    await until(() => expect([...pending.keys()]).toEqual(['id-0', 'id-3', 'id-4']));
    pending.get('id-0')?.done();
    await until(() => expect([...pending.keys()]).toEqual(['id-3', 'id-4', 'id-1']));
  });

  it('keeps no order when `ordering` is none', async () => {
    const { callback, pending } = createManualCallback();
    const fields = { concurrency: 2, ordering: 'none' } as const;
    consuming.consumers.register(registration('login', callback, fields));
    consuming.main.handler.assigned([0]);
    await consuming.deliver([login(0, 'a'), login(1, 'a'), login(2, 'a')]);
    expect([...pending.keys()]).toEqual(['id-0', 'id-1']);
  });

  it('commits behind what is no record, once the records before it are finished', async () => {
    const { callback, pending } = createManualCallback();
    consuming.consumers.register(registration('login', callback));
    const { main } = consuming;
    main.handler.assigned([0, 1]);
    main.handler.advanced?.(1, 7n);
    await untilCommitted(main, 7, 1);
    await consuming.deliver([login(0)]);
    main.handler.advanced?.(0, 4n);
    await pause();
    expect(main.committed.get(0)).toBeUndefined();
    pending.get('id-0')?.done();
    await untilCommitted(main, 4);
    await main.handler.revoked([0]);
    main.handler.advanced?.(0, 9n);
    await pause();
    expect(main.committed.get(0)).toBe(4n);
  });

  it('commits only up to the first record that is not finished', async () => {
    const { callback, pending } = createManualCallback();
    consuming.consumers.register(registration('login', callback, { concurrency: 3 }));
    consuming.main.handler.assigned([0]);
    await consuming.deliver([login(0, 'a'), login(1, 'b'), login(5, 'c')]);
    pending.get('id-1')?.done();
    pending.get('id-5')?.done();
    await pause();
    expect(consuming.main.commits).toEqual([]);
    pending.get('id-0')?.done();
    await untilCommitted(consuming.main, 6);
    expect(consuming.main.commits).toHaveLength(1);
  });

  it('makes the stream wait when too many records are in hand, counting finished ones behind a slow one', async () => {
    const { callback, pending } = createManualCallback();
    const fields = { concurrency: 2, maxInHand: 3 };
    consuming.consumers.register(registration('login', callback, fields));
    consuming.main.handler.assigned([0]);
    const accepted = vi.fn();
    void consuming.deliver([login(0, 'slow'), login(1, 'b'), login(2, 'c')]).then(accepted);
    pending.get('id-1')?.done();
    await until(() => expect(pending.has('id-2')).toBe(true));
    pending.get('id-2')?.done();
    await pause();
    expect(accepted).not.toHaveBeenCalled();
    pending.get('id-0')?.done();
    await until(() => expect(accepted).toHaveBeenCalled());
  });

  it('lets timers run while callbacks never wait', async () => {
    let handled = 0;
    const busy = () => {
      const until = performance.now() + 0.2;
      while (performance.now() < until);
      handled += 1;
    };
    consuming.consumers.register(registration('login', busy));
    consuming.main.handler.assigned([0]);
    let seen = -1;
    setTimeout(() => {
      seen = handled;
    }, 1);
    await consuming.deliver(Array.from({ length: 400 }, (_, offset) => login(offset)));
    await untilCommitted(consuming.main, 400);
    expect(seen).toBeGreaterThanOrEqual(0);
    expect(seen).toBeLessThan(400);
  });
});

describe('commits', () => {
  it('are made in batches', async () => {
    const fields = { commitIntervalMs: 20 };
    consuming.consumers.register(registration('login', async () => undefined, fields));
    consuming.main.handler.assigned([0, 1]);
    await consuming.deliver(Array.from({ length: 50 }, (_, offset) => login(offset)));
    await consuming.deliver([login(7, null, 1)], 1);
    await untilCommitted(consuming.main, 50);
    expect(consuming.main.commits).toEqual([
      new Map([
        [0, 50n],
        [1, 8n],
      ]),
    ]);
  });

  it('are made before the next record when `commit` is each', async () => {
    const before: (bigint | undefined)[] = [];
    const callback = () => before.push(consuming.main.committed.get(0));
    consuming.consumers.register(registration('login', callback, { commit: 'each' }));
    consuming.main.handler.assigned([0]);
    await consuming.deliver([login(0), login(1), login(2)]);
    await untilCommitted(consuming.main, 3);
    expect(before).toEqual([undefined, 1n, 2n]);
  });

  it('hold the next record back until they succeed when `commit` is each', async () => {
    const callback = vi.fn();
    consuming.consumers.register(registration('login', callback, { commit: 'each' }));
    consuming.main.handler.assigned([0]);
    consuming.main.failure = new PlatformError('STREAM_UNAVAILABLE', 'away');
    await consuming.deliver([login(0), login(1)]);
    await until(() => expect(consuming.reports.lines).toContain('commit failed: away'));
    expect(callback).toHaveBeenCalledTimes(1);
    consuming.main.failure = undefined;
    await untilCommitted(consuming.main, 2);
    expect(callback).toHaveBeenCalledTimes(2);
  });

  it('are tried again after a failure', async () => {
    consuming.consumers.register(registration('login', () => undefined));
    consuming.main.handler.assigned([0]);
    consuming.main.failure = new PlatformError('STREAM_UNAVAILABLE', 'away');
    await consuming.deliver([login(0)]);
    await until(() => expect(consuming.reports.lines).toContain('commit failed: away'));
    consuming.main.failure = undefined;
    await untilCommitted(consuming.main, 1);
  });

  it('of other partitions succeed when one partition was lost', async () => {
    const fields = { commitIntervalMs: 20 };
    consuming.consumers.register(registration('login', () => undefined, fields));
    consuming.main.handler.assigned([0, 1]);
    consuming.main.refused.add(0);
    await consuming.deliver([login(0)]);
    await consuming.deliver([login(0, null, 1)], 1);
    await untilCommitted(consuming.main, 1, 1);
    expect(consuming.main.committed.has(0)).toBe(false);
    consuming.main.handler.lost([0]);
  });
});

describe('when partitions are revoked or lost', () => {
  it('finishes running calls, begins no record and commits', async () => {
    const { callback, pending } = createManualCallback();
    const fields = { commitIntervalMs: 60_000 };
    consuming.consumers.register(registration('login', callback, fields));
    consuming.main.handler.assigned([0]);
    await consuming.deliver([login(0), login(1)]);
    const revoked = consuming.main.handler.revoked([0]);
    await pause();
    pending.get('id-0')?.done();
    await revoked;
    expect(consuming.main.committed.get(0)).toBe(1n);
    expect(pending.size).toBe(0);
  });

  it('aborts unfinished calls at the deadline, and never commits their late results', async () => {
    const { callback, pending } = createManualCallback();
    consuming.consumers.register(registration('login', callback, { drainMs: 50, concurrency: 2 }));
    consuming.main.handler.assigned([0]);
    await consuming.deliver([login(0, 'a'), login(1, 'b')]);
    const late = pending.get('id-1');
    expect(late?.signal.aborted).toBe(false);
    const revoked = consuming.main.handler.revoked([0]);
    pending.get('id-0')?.done();
    await revoked;
    expect(late?.signal.aborted).toBe(true);
    consuming.main.handler.assigned([0]);
    late?.done();
    await pause();
    expect(consuming.main.commits).toEqual([new Map([[0, 1n]])]);
  });

  it('commits nothing for a lost partition', async () => {
    const { callback, pending } = createManualCallback();
    consuming.consumers.register(registration('login', callback));
    consuming.main.handler.assigned([0]);
    await consuming.deliver([login(0), login(1)]);
    const late = pending.get('id-0');
    consuming.main.handler.lost([0]);
    expect(late?.signal.aborted).toBe(true);
    late?.done();
    await pause();
    expect(consuming.main.commits).toEqual([]);
    expect(pending.has('id-1')).toBe(false);
  });

  it('ignores results of an assignment that a new one replaced', async () => {
    const { callback, pending } = createManualCallback();
    consuming.consumers.register(registration('login', callback));
    consuming.main.handler.assigned([0]);
    await consuming.deliver([login(9)]);
    const late = pending.get('id-9');
    pending.delete('id-9');
    consuming.main.handler.assigned([0]);
    await consuming.deliver([login(3), login(9)]);
    late?.done();
    await pause();
    expect(consuming.main.commits).toEqual([]);
    pending.get('id-3')?.done();
    await untilCommitted(consuming.main, 4);
  });

  it('does not count a failure of a callback that was asked to stop', async () => {
    const fields = { drainMs: 30, retry: { maxAttempts: 1 } };
    const callback = (ctx: { signal: AbortSignal }): Promise<void> =>
      new Promise((_resolve, reject) => {
        ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason));
      });
    consuming.consumers.register(registration('login', callback, fields));
    consuming.main.handler.assigned([0]);
    await consuming.deliver([login(0)]);
    await consuming.main.handler.revoked([0]);
    await pause();
    expect(consuming.appender.appended).toEqual([]);
    expect(consuming.main.commits).toEqual([]);
  });

  it('releases a stream that waits for capacity', async () => {
    const { callback } = createManualCallback();
    const fields = { maxInHand: 1, drainMs: 10 };
    consuming.consumers.register(registration('login', callback, fields));
    consuming.main.handler.assigned([0]);
    const given = consuming.deliver([login(0), login(1)]);
    await consuming.main.handler.revoked([0]);
    await given;
    await consuming.deliver([login(2)]);
    expect(consuming.consumers.status()).toMatchObject([{ partitions: [] }]);
  });
});
