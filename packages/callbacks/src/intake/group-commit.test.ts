import { newId, PlatformError } from '@posthaste/contracts';
import type { Database } from '@posthaste/postgres';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { work } from '../../test/live-callbacks.js';
import { useSharedStore } from '../../test/test-store.js';
import { toCallbackRequest } from '../request/request.js';
import { Intake } from './intake.js';
import type { IntakeItem } from './intake-store.js';

const rules = { defaultTimeoutMs: 15_000, maxTimeoutMs: 28_000, urlFault: () => undefined };

function itemOf(more: { readonly endpointId?: string; readonly queue?: string } = {}): IntakeItem {
  const request = toCallbackRequest({ url: 'http://example.com/', ...more }, rules);
  return { id: newId(), request, idempotency: undefined };
}

/** Returns an item that the database refuses: its endpoint id is not an id. */
const refusedItem = (queue?: string): IntakeItem =>
  itemOf({ endpointId: 'no id', ...(queue === undefined ? {} : { queue }) });

const statuses = (outcomes: readonly PromiseSettledResult<unknown>[]): string[] =>
  outcomes.map(({ status }) => status);

describeWithPostgres('group commit', () => {
  const store = useSharedStore();
  let intake: Intake;
  beforeAll(async () => {
    intake = new Intake(store.db);
  });
  afterAll(() => intake.close());

  it('fails for the callback that the database refuses, and for no other', async () => {
    const items = Array.from({ length: 20 }, (_, n) => (n === 13 ? refusedItem() : itemOf()));
    const outcomes = await Promise.allSettled(items.map((item) => intake.add(item)));
    const expected = items.map((_, n) => (n === 13 ? 'rejected' : 'fulfilled'));
    expect(statuses(outcomes)).toEqual(expected);
    expect(outcomes[13]).toMatchObject({ reason: { code: 'DATABASE_ERROR' } });
    const stored = items.filter((_, n) => n !== 13).map(({ id }) => id);
    expect((await work(store.db)).sort()).toEqual(stored.sort());
  });

  it('keeps the order of a queue around a callback that is refused', async () => {
    const items = Array.from({ length: 9 }, (_, n) =>
      n === 4 ? refusedItem('orders') : itemOf({ queue: 'orders' }),
    );
    const outcomes = await intake.addAll(items);
    expect(statuses(outcomes).indexOf('rejected')).toBe(4);
    expect(await work(store.db)).toEqual(items.filter((_, n) => n !== 4).map(({ id }) => id));
  });
});

/**
 * Opens an intake on a database that answers as the test says; `statements` has the rows of each.
 */
function openIntake(answer: (rows: number) => Error | undefined) {
  const statements: number[] = [];
  const query = async (_statement: unknown, values: readonly unknown[] = []) => {
    const { length } = values[0] as unknown[];
    statements.push(length);
    const error = answer(length);
    if (error) throw error;
    return { rows: [{ created_at: new Date(), repeated: null }], rowCount: 1 };
  };
  return { intake: new Intake({ query } as unknown as Database), statements };
}

it('does not look for a faulty row when the database refuses them all', async () => {
  const missing = Object.assign(new Error('no such table'), { code: '42P01', severity: 'ERROR' });
  const { intake, statements } = openIntake(
    () => new PlatformError('DATABASE_ERROR', 'no such table', { cause: missing }),
  );
  await expect(intake.addAll([itemOf(), itemOf()])).rejects.toMatchObject({ cause: missing });
  expect(statements).toEqual([2]);
});

it('does not repeat a statement that may have been committed', async () => {
  const { intake, statements } = openIntake(
    () => new PlatformError('DATABASE_OUTCOME_UNKNOWN', 'the connection was lost'),
  );
  const outcome = intake.addAll([itemOf(), itemOf()]);
  await expect(outcome).rejects.toMatchObject({ code: 'DATABASE_OUTCOME_UNKNOWN' });
  expect(statements).toEqual([2]);
});

it('reports what was stored when the database goes down in between', async () => {
  const { intake } = openIntake((rows) => {
    if (rows === 3) return new PlatformError('DATABASE_ERROR', 'one is refused');
    return rows === 2 ? new PlatformError('DATABASE_UNAVAILABLE', 'gone') : undefined;
  });
  const outcomes = await intake.addAll([itemOf(), itemOf(), itemOf()]);
  expect(statuses(outcomes)).toEqual(['fulfilled', 'rejected', 'rejected']);
  expect(outcomes[2]).toMatchObject({ reason: { code: 'DATABASE_UNAVAILABLE' } });
});
