import { idempotencyKeyReused, PlatformError } from '@posthaste/contracts';
import { type Database, sqlState } from '@posthaste/postgres';
import type { CallbackEventSink } from '../events/callback-events.js';
import { toAcceptedEvents } from './accepted-events.js';
import {
  type FirstUse,
  findFirstUses,
  type IntakeItem,
  type Stored,
  storeCallbacks,
} from './intake-store.js';

/** What became of one callback that was handed in. */
export interface Accepted {
  readonly id: string;
  readonly createdAt: Date;
  /** The Idempotency-Key was used before: id and time are those of the first use. */
  readonly repeated: boolean;
}

export type Outcome = PromiseSettledResult<Accepted>;

export interface CommitOptions {
  /** Whether a statement that is about to be sent tells the workers of it. */
  readonly notify: () => boolean;
  /** Told, in the same transaction, of what is stored. */
  readonly events: CallbackEventSink;
}

/**
 * Stores several callbacks with one statement, which share its flush; gives the outcome of each, in
 * this order. One that the database refuses does not take the others with it: they are stored in
 * halves then, one after the other, so that those of a queue keep their order.
 * @throws PlatformError `DATABASE_*` when none of them was stored, and not for the fault of one
 */
export async function commitTogether(
  db: Database,
  items: readonly IntakeItem[],
  options: CommitOptions,
): Promise<Outcome[]> {
  try {
    return await store(db, items, options);
  } catch (error) {
    if (items.length === 1 || !mayBeOfOneRow(error)) throw error;
  }
  const middle = items.length >> 1;
  return [
    ...(await commitHalf(db, items.slice(0, middle), options)),
    ...(await commitHalf(db, items.slice(middle), options)),
  ];
}

/** What the database refuses as a whole is refused to each: the other half may be stored. */
async function commitHalf(
  db: Database,
  items: readonly IntakeItem[],
  options: CommitOptions,
): Promise<Outcome[]> {
  try {
    return await commitTogether(db, items, options);
  } catch (reason) {
    return items.map(() => ({ status: 'rejected', reason }));
  }
}

/** Class 42, such as a table that is missing or may not be written, is no fault of any row. */
function mayBeOfOneRow(error: unknown): boolean {
  const isRefusal = error instanceof PlatformError && error.code === 'DATABASE_ERROR';
  return isRefusal && !sqlState(error)?.startsWith('42');
}

async function store(
  db: Database,
  items: readonly IntakeItem[],
  options: CommitOptions,
): Promise<Outcome[]> {
  const { createdAt, repeated } = await storeAndEmit(db, items, options);
  const repeats = items.filter(({ id }) => repeated.has(id));
  const repetitions = await findRepetitions(db, repeats);
  return items.map(
    ({ id }) =>
      repetitions.get(id) ?? { status: 'fulfilled', value: { id, createdAt, repeated: false } },
  );
}

async function storeAndEmit(
  db: Database,
  items: readonly IntakeItem[],
  { notify, events }: CommitOptions,
): Promise<Stored> {
  const told = toAcceptedEvents(items, events);
  if (told.length === 0) return storeCallbacks(db, items, notify());
  const mayRepeat = items.some(({ idempotency }) => idempotency !== undefined);
  return db.transaction(async (tx) => {
    if (!mayRepeat) {
      // Sent together: the second runs after the first.
      const [stored] = await Promise.all([
        storeCallbacks(tx, items, notify()),
        events.append(tx, told),
      ]);
      return stored;
    }
    const stored = await storeCallbacks(tx, items, notify());
    const fresh = toAcceptedEvents(
      items.filter(({ id }) => !stored.repeated.has(id)),
      events,
    );
    if (fresh.length > 0) await events.append(tx, fresh);
    return stored;
  });
}

/** The outcomes of items whose Idempotency-Key was used before, by item id. */
async function findRepetitions(
  db: Database,
  items: readonly IntakeItem[],
): Promise<ReadonlyMap<string, Outcome>> {
  if (items.length === 0) return new Map();
  try {
    const firstUses = await findFirstUses(db, items);
    return new Map(items.map(({ id }) => [id, toRepetition(firstUses.get(id))]));
  } catch (reason) {
    // What was stored beside them is stored all the same.
    return new Map(items.map(({ id }) => [id, { status: 'rejected', reason }]));
  }
}

function toRepetition(first: FirstUse | undefined): Outcome {
  if (first?.sameBody) {
    const { callbackId: id, createdAt } = first;
    return { status: 'fulfilled', value: { id, createdAt, repeated: true } };
  }
  return { status: 'rejected', reason: idempotencyKeyReused('application') };
}
