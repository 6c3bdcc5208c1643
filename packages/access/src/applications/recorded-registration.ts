import type { Database, Transaction } from '@posthaste/postgres';
import type { Change } from '../audit/change.js';
import type { RecordChange } from '../audit/record-change.js';
import { registerNames } from './application-store.js';

/** Somebody who was the first to name an application, for the audit log. */
export type Registrant = Pick<Change, 'actor' | 'origin'>;

/** Registers names that are new, each with the one who named it. */
export type RegisterNames = (names: ReadonlyMap<string, Registrant>) => Promise<void>;

/**
 * Returns a function that registers names. Each that is new is recorded in the audit log as
 * `application.created`, in the same transaction.
 */
export function createRecordedRegistration(db: Database, record: RecordChange): RegisterNames {
  return (names) =>
    db.transaction((tx) =>
      registerRecorded(tx, [...names.keys()], (change) => {
        const registrant = names.get(change.target.id);
        return registrant ? record(tx, { ...change, ...registrant }) : Promise.resolve();
      }),
    );
}

/**
 * Registers names in a transaction, and calls `record` with the change for each that is new.
 * @throws PlatformError `DATABASE_*`
 */
export async function registerRecorded(
  tx: Transaction,
  names: readonly string[],
  record: (change: Omit<Change, 'actor'>) => Promise<unknown>,
): Promise<void> {
  for (const { name, state, limits, retentionMs } of await registerNames(tx, names)) {
    await record({
      application: name,
      action: 'application.created',
      target: { kind: 'application', id: name, name },
      after: { state, limits, retentionMs },
      note: 'It was named for the first time.',
    });
  }
}
