import { type CallbackEventName, callbackEventNames } from '@posthaste/contracts';
import type { Database, Transaction } from '@posthaste/postgres';
import type { DeliveryResult } from '../delivery/delivery.js';
import type { CallbackEventSink } from '../events/callback-events.js';
import { finishWithEvents, isPlainDelivery } from './delivered-events-statement.js';
import { hasEvents, toResultEvents } from './result-events.js';
import { insertEndings, insertEndingsReturning, type RecordedResult } from './result-store.js';

/**
 * Records results that end callbacks without a queue, with the events about them; returns the
 * number of results that were written. The others had lost their lease: they have no event.
 */
export async function finishResults(
  db: Database,
  results: readonly DeliveryResult[],
  events: CallbackEventSink,
): Promise<number> {
  const { inStatement: log } = events;
  // Read once, because the set of wanted events may change while this runs.
  const wanted: ReadonlySet<string> = new Set(
    callbackEventNames.filter((name) => events.wants(name)),
  );
  const wants = (name: CallbackEventName): boolean => wanted.has(name);
  if (!results.some((result) => hasEvents(toRecordedResult(result), wants)))
    return insertEndings(db, results);
  if (log && results.every(isPlainDelivery)) return finishWithEvents(db, results, { log, wants });
  return db.transaction((tx) => finishInTransaction(tx, results, { events, wants }));
}

async function finishInTransaction(
  tx: Transaction,
  results: readonly DeliveryResult[],
  { events, wants }: { events: CallbackEventSink; wants: CallbackEventSink['wants'] },
): Promise<number> {
  const { inStatement: log } = events;
  const {
    withoutEvents = [],
    byStatement = [],
    byWorker = [],
  } = Object.fromEntries(
    Map.groupBy(results, (result) => {
      if (!hasEvents(toRecordedResult(result), wants)) return 'withoutEvents';
      return log && isPlainDelivery(result) ? 'byStatement' : 'byWorker';
    }),
  );
  const silent = withoutEvents.length > 0 ? await insertEndings(tx, withoutEvents) : 0;
  // Appends come last, because readers of the log wait for the end of a transaction that appended.
  const written = byWorker.length > 0 ? await insertEndingsReturning(tx, byWorker) : [];
  const appended = written.flatMap((result) => toResultEvents(toRecordedResult(result), wants));
  const [finished] = await Promise.all([
    log && byStatement.length > 0 ? finishWithEvents(tx, byStatement, { log, wants }) : 0,
    appended.length > 0 ? events.append(tx, appended) : undefined,
  ]);
  return silent + written.length + finished;
}

/** Converts a result of a callback without a queue to a recorded one; there is no queue to park. */
function toRecordedResult(result: DeliveryResult): RecordedResult {
  const { verdict } = result;
  const ending = verdict.kind === 'ended' ? verdict.ending : undefined;
  return { result, ending, parked: false };
}
