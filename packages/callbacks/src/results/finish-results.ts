import type { Database, Transaction } from '@posthaste/postgres';
import type { DeliveryResult } from '../delivery/delivery.js';
import {
  type CallbackEventName,
  type CallbackEventSink,
  callbackEventNames,
} from '../events/callback-events.js';
import { finishWithEvents, isPlainDelivery } from './delivered-events-statement.js';
import { hasEvents, type RecordedResult, toResultEvents } from './result-events.js';
import { finishNamed, insertEndings } from './result-store.js';

/**
 * Records results that end callbacks without a queue, and what is told of those that count; gives
 * their number. The others had lost their lease: nothing is told of them.
 */
export async function finishResults(
  db: Database,
  results: readonly DeliveryResult[],
  events: CallbackEventSink,
): Promise<number> {
  const { inStatement } = events;
  // Asked once: what is wanted may change while this is under way.
  const wanted: ReadonlySet<string> = new Set(
    callbackEventNames.filter((name) => events.wants(name)),
  );
  const wants = (name: CallbackEventName): boolean => wanted.has(name);
  if (!results.some((result) => hasEvents(toRecordedResult(result), wants)))
    return insertEndings(db, results);
  if (inStatement && results.every(isPlainDelivery)) {
    return finishWithEvents(db, results, inStatement, wants);
  }
  return db.transaction((tx) => finishInTransaction(tx, results, events, wants));
}

async function finishInTransaction(
  tx: Transaction,
  results: readonly DeliveryResult[],
  events: CallbackEventSink,
  wants: CallbackEventSink['wants'],
): Promise<number> {
  const { inStatement: log } = events;
  const {
    untold = [],
    plain = [],
    others = [],
  } = Object.fromEntries(
    Map.groupBy(results, (result) => {
      if (!hasEvents(toRecordedResult(result), wants)) return 'untold';
      return log && isPlainDelivery(result) ? 'plain' : 'others';
    }),
  );
  const quiet = untold.length > 0 ? await insertEndings(tx, untold) : 0;
  // Those that append last, because readers of the log wait for the end of the transaction.
  const counted = others.length > 0 ? await finishNamed(tx, others) : [];
  const told = counted.flatMap((result) => toResultEvents(toRecordedResult(result), wants));
  const [finished] = await Promise.all([
    log && plain.length > 0 ? finishWithEvents(tx, plain, log, wants) : 0,
    told.length > 0 ? events.append(tx, told) : undefined,
  ]);
  return quiet + counted.length + finished;
}

/** As it counts: it has no queue that could stand still. */
function toRecordedResult(result: DeliveryResult): RecordedResult {
  const { verdict } = result;
  const ending = verdict.kind === 'ended' ? verdict.ending : undefined;
  return { result, ending, parked: false };
}
