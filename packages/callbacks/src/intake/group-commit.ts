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

/** Callback that is stored. */
export interface Accepted {
  readonly id: string;
  readonly createdAt: Date;
  /** True if its Idempotency-Key was used before: id and time are those of the first use. */
  readonly repeated: boolean;
}

/** Outcome for one callback of several. */
export type Outcome = PromiseSettledResult<Accepted>;

/** Options of {@link commitTogether}. */
export interface CommitOptions {
  /** Called before each statement; true if the statement should notify the workers. */
  readonly shouldNotify: () => boolean;
  /** Receiver of events about stored callbacks, in the same transaction. */
  readonly events: CallbackEventSink;
}

/**
 * Stores several callbacks with one statement, so that they share its flush; returns the outcome of
 * each, in this order. If the database refuses one, the others are still stored: in halves, one
 * after the other, so that callbacks of a queue keep their order.
 * @throws PlatformError `DATABASE_*` when none was stored, for a reason that affects all of them
 */
export async function commitTogether(
  db: Database,
  items: readonly IntakeItem[],
  options: CommitOptions,
): Promise<Outcome[]> {
  try {
    return await store(db, items, options);
  } catch (error) {
    if (items.length === 1 || !mayConcernOneRow(error)) throw error;
  }
  const middle = items.length >> 1;
  return [
    ...(await commitHalf(db, items.slice(0, middle), options)),
    ...(await commitHalf(db, items.slice(middle), options)),
  ];
}

/**
 * Stores a half; its error becomes the outcome of each of its items, because the other half may be
 * stored.
 */
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

/**
 * True if one row may be the cause. Class 42, such as a missing table or privilege, affects all.
 */
function mayConcernOneRow(error: unknown): boolean {
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
  { shouldNotify, events }: CommitOptions,
): Promise<Stored> {
  const accepted = toAcceptedEvents(items, events);
  if (accepted.length === 0) return storeCallbacks(db, items, shouldNotify());
  const mayRepeat = items.some(({ idempotency }) => idempotency !== undefined);
  return db.transaction(async (tx) => {
    if (!mayRepeat) {
      // Sent together: the second runs after the first.
      const [stored] = await Promise.all([
        storeCallbacks(tx, items, shouldNotify()),
        events.append(tx, accepted),
      ]);
      return stored;
    }
    const stored = await storeCallbacks(tx, items, shouldNotify());
    const fresh = toAcceptedEvents(
      items.filter(({ id }) => !stored.repeated.has(id)),
      events,
    );
    if (fresh.length > 0) await events.append(tx, fresh);
    return stored;
  });
}

/** Returns the outcomes of items whose Idempotency-Key was used before, by item id. */
async function findRepetitions(
  db: Database,
  items: readonly IntakeItem[],
): Promise<ReadonlyMap<string, Outcome>> {
  if (items.length === 0) return new Map();
  try {
    const firstUses = await findFirstUses(db, items);
    return new Map(items.map(({ id }) => [id, toRepetition(firstUses.get(id))]));
  } catch (reason) {
    // Items that were stored by the same statement stay stored.
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
