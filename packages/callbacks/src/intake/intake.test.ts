import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { newId } from '@posthaste/contracts';
import type { Database } from '@posthaste/postgres';
import { expect, it } from 'vitest';
import { toCallbackRequest } from '../request/request.js';
import { Intake, type IntakeOptions } from './intake.js';

const rules = { defaultTimeoutMs: 15_000, maxTimeoutMs: 28_000, urlFault: () => undefined };

/** Opens an intake on a database whose statements end when the test says so. */
function openIntake(options: IntakeOptions = {}) {
  /** Number of callbacks of each statement. */
  const statements: number[] = [];
  let notifications = 0;
  const waiting: (() => void)[] = [];
  const answer = { rows: [{ created_at: new Date(), repeated: null }], rowCount: 1 };
  const query = async (statement: unknown, values: readonly unknown[] = []) => {
    if (typeof statement === 'string') {
      notifications += 1;
      return answer;
    }
    statements.push((values[0] as unknown[]).length);
    if (values.includes(true)) notifications += 1;
    await new Promise<void>((resolve) => waiting.push(resolve));
    return answer;
  };
  const intake = new Intake({ query } as unknown as Database, options);
  return {
    intake,
    statements,
    notificationsSoFar: () => notifications,
    /** Adds so many callbacks; returns their outcomes. */
    add(count: number, body = Buffer.alloc(0)) {
      const request = toCallbackRequest({ url: 'http://example.com/', body }, rules);
      const item = () => ({ id: newId(), request, idempotency: undefined });
      return Promise.allSettled(Array.from({ length: count }, () => intake.add(item())));
    },
    async answerAll() {
      for (const answerOne of waiting.splice(0)) answerOne();
      await sleep(1);
    },
  };
}

/** Waits until the callbacks are added, but not for their outcome. */
async function begin(adding: Promise<unknown>): Promise<void> {
  void adding;
  await turn();
  await turn();
}

it('stores what arrives together with one statement, and a single one at once', async () => {
  const { statements, add } = openIntake();
  await begin(add(1));
  expect(statements).toEqual([1]);
  const other = openIntake();
  await begin(other.add(20));
  expect(other.statements).toEqual([20]);
});

it('lets a few wait for the running statement, and starts another one for many', async () => {
  const { statements, add, answerAll } = openIntake({ minParallelBatch: 8 });
  await begin(add(1));
  await begin(add(7));
  expect(statements).toEqual([1]);
  await answerAll();
  expect(statements).toEqual([1, 7]);
  await begin(add(8));
  expect(statements).toEqual([1, 7, 8]);
});

it('runs no more statements at the same time than it may', async () => {
  const { statements, add, answerAll } = openIntake({ minParallelBatch: 1, concurrency: 2 });
  for (let i = 0; i < 3; i += 1) await begin(add(1));
  expect(statements).toEqual([1, 1]);
  await answerAll();
  expect(statements).toEqual([1, 1, 1]);
});

it('splits by number and by size', async () => {
  const byNumber = openIntake({ maxBatch: 4, minParallelBatch: 1 });
  await begin(byNumber.add(10));
  expect(byNumber.statements).toEqual([4, 4, 2]);
  const bySize = openIntake({ maxBatchBytes: 100, minParallelBatch: 1 });
  await begin(bySize.add(3, Buffer.alloc(40)));
  expect(bySize.statements).toEqual([2, 1]);
  const large = openIntake({ maxBatchBytes: 100 });
  await begin(large.add(1, Buffer.alloc(1_000)));
  expect(large.statements).toEqual([1]);
});

it('refuses more than may wait', async () => {
  const { add, answerAll } = openIntake({ maxWaiting: 3 });
  const outcomes = add(5);
  await turn();
  await answerAll();
  expect((await outcomes).map((outcome) => outcome.status)).toEqual([
    ...Array(3).fill('fulfilled'),
    ...Array(2).fill('rejected'),
  ]);
  expect((await outcomes)[4]).toMatchObject({ reason: { code: 'OVERLOADED' } });
});

it('refuses more bytes than may wait to be stored, and accepts them again afterwards', async () => {
  const { add, intake, answerAll } = openIntake({ maxUnstoredBytes: 100, minParallelBatch: 1 });
  const statusOf = async (adding: ReturnType<typeof add>) => (await adding).map((o) => o.status);
  const first = add(3, Buffer.alloc(40));
  await turn();
  const request = toCallbackRequest({ url: 'http://example.com/', body: Buffer.alloc(40) }, rules);
  const more = intake.addAll([{ id: newId(), request, idempotency: undefined }]);
  await expect(more).rejects.toMatchObject({ code: 'OVERLOADED' });
  await answerAll();
  expect(await statusOf(first)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
  const large = add(1, Buffer.alloc(1_000));
  await turn();
  await answerAll();
  expect(await statusOf(large)).toEqual(['fulfilled']);
});

it('notifies the workers at once, then once at the end of each window', async () => {
  const { add, answerAll, notificationsSoFar } = openIntake({ notifyEveryMs: 300 });
  for (let i = 0; i < 5; i += 1) {
    await begin(add(1));
    await answerAll();
  }
  expect(notificationsSoFar()).toBe(1);
  await sleep(400);
  expect(notificationsSoFar()).toBe(2);
});
