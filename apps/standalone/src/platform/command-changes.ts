import { hostname, userInfo } from 'node:os';
import { type Actor, type AuditEntry, type Change, createChangeRecorder } from '@posthaste/access';
import { PostgresLog } from '@posthaste/eventstream';
import type { Database, MigrationStep, Transaction } from '@posthaste/postgres';

/** Recorder of the changes that commands make in the database. */
export interface CommandChanges {
  /** Records a change in its transaction, with the user of the operating system as its actor. */
  record(tx: Transaction, change: Omit<Change, 'actor'>): Promise<AuditEntry>;
  /** Closes the event log. The database stays open. */
  close(): Promise<void>;
}

/** Opens the recorder. Its database needs `accessMigrations` and `eventstreamMigrations`. */
export function openCommandChanges(db: Database): CommandChanges {
  const log = new PostgresLog({ db });
  const record = createChangeRecorder({ append: (tx, events) => log.appendEvents(tx, events) });
  return {
    record: (tx, change) => record(tx, { ...change, actor: commandActor() }),
    close: () => log.close(),
  };
}

/**
 * Records which migrations were applied. They are committed one by one before, because an entry needs
 * the table that one of them creates: a process that is killed in between leaves no entry.
 */
export async function recordMigrations(
  db: Database,
  applied: readonly MigrationStep[],
): Promise<void> {
  if (applied.length === 0) return;
  const changes = openCommandChanges(db);
  const steps = applied.map(({ owner, version, name }) => `${owner} ${version}: ${name}`);
  try {
    await db.transaction((tx) =>
      changes.record(tx, {
        action: 'database.migrated',
        target: { kind: 'database', id: 'posthaste', name: 'posthaste' },
        after: { applied: steps },
      }),
    );
  } finally {
    await changes.close();
  }
}

function commandActor(): Actor {
  const name = userName();
  return { kind: 'command', id: `${name}@${hostname()}`, name };
}

/** Returns the name of the user; its number where the system has no name for it, as in containers. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `user ${process.getuid?.() ?? 'unknown'}`;
  }
}
