import { fileURLToPath } from 'node:url';
import { type RunningProcess, startProcess } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { offsetBeginning } from '../src/driver.js';
import { createPostgresDriver } from '../src/drivers/postgres/postgres-driver.js';
import { append, openTestLog, recordOf, type TestLog } from './open-log.js';
import { offsetsAfter, RecordingHandler } from './recording-handler.js';

const leaseMs = 1_000;
const count = 2_000;
const script = fileURLToPath(new URL('consumer-process.ts', import.meta.url));

describeWithPostgres('a consumer in a process of its own', () => {
  let test: TestLog;
  let running: RunningProcess;
  beforeEach(async () => {
    test = await openTestLog('postgres');
    const values = Array.from({ length: count }, (_, n) => recordOf(`${n}`, `key ${n % 10}`));
    await append(test, ...values);
    running = await startProcess({ args: [script, test.url ?? '', String(leaseMs)] });
    await running.waitForLine(/^handled 100$/);
  });
  afterEach(async () => {
    await running.close();
    await test.close();
  });

  /** Consumes all remaining records, and measures the wait for the first one. */
  async function takeOver(): Promise<{ readonly values: number[]; readonly waitedMs: number }> {
    // Its own lease must not run out, not even on a busy machine.
    const driver = createPostgresDriver(test.log, { leaseMs: leaseMs * 6 });
    const startedAt = performance.now();
    let waitedMs: number | undefined;
    const handler = new RecordingHandler({
      onRecords: async (_partition, records) => {
        waitedMs ??= performance.now() - startedAt;
        await subscription.commit(offsetsAfter(records));
      },
    });
    const subscription = driver.subscribe(
      {
        topic: 'orders',
        groupId: 'mail',
        groupInstanceId: undefined,
        startOffset: offsetBeginning,
        drainMs: 1_000,
      },
      handler,
    );
    const isDone = (): void => expect(handler.values.at(-1)).toBe(`${count - 1}`);
    await vi.waitFor(isDone, { timeout: 30_000 });
    await driver.close();
    return { values: handler.values.map(Number), waitedMs: waitedMs ?? 0 };
  }

  const handledThere = (): number[] =>
    [...running.output.matchAll(/^handled (\d+)$/gm)].map(([, value]) => Number(value));

  it('is replaced within seconds after SIGKILL; only uncommitted records are delivered again', async () => {
    await running.kill();
    const { values, waitedMs } = await takeOver();
    const there = handledThere();
    expect(waitedMs).toBeLessThan(leaseMs * 10);
    const [first = -1] = values;
    // It commits each record, so the counts differ by at most the record that it was handling.
    expect(Math.abs(there.length - first)).toBeLessThanOrEqual(1);
    expect(values).toEqual(Array.from({ length: count - first }, (_, n) => first + n));
  });

  it('cannot commit when it resumes after it was replaced', async () => {
    await running.pause();
    const { values } = await takeOver();
    await running.resume();
    await running.waitForLine(/^(?:lost|refused)/);
    await running.kill();
    expect(values.at(-1)).toBe(count - 1);
    const lag = await test.log.lag('orders', 'mail');
    expect(lag).toMatchObject([{ partitions: [{ committed: BigInt(count), lag: 0n }] }]);
  });
});
