import type { Database, Transaction } from '@posthaste/postgres';
import type { DeliveryResult } from '../delivery/delivery.js';
import {
  type CallbackEventName,
  type CallbackEventSink,
  callbackEventNames,
} from '../events/callback-events.js';
import { finishTelling, isPlainDelivery } from './delivered-events-statement.js';
import { isTold, type ToldResult, toResultEvents } from './result-events.js';
import { finishNamed, finishResults } from './result-store.js';

/**
 * Records results that end callbacks without a queue, and what is told of those that count; gives
 * their number. The others had lost their lease: nothing is told of them.
 */
export async function finishAndTell(
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
  if (!results.some((result) => isTold(toTold(result), wants))) return finishResults(db, results);
  if (inStatement && results.every(isPlainDelivery)) {
    return finishTelling(db, results, inStatement, wants);
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
      if (!isTold(toTold(result), wants)) return 'untold';
      return log && isPlainDelivery(result) ? 'plain' : 'others';
    }),
  );
  const quiet = untold.length > 0 ? await finishResults(tx, untold) : 0;
  // Those that append last, because readers of the log wait for the end of the transaction.
  const counted = others.length > 0 ? await finishNamed(tx, others) : [];
  const told = counted.flatMap((result) => toResultEvents(toTold(result), wants));
  const [finished] = await Promise.all([
    log && plain.length > 0 ? finishTelling(tx, plain, log, wants) : 0,
    told.length > 0 ? events.append(tx, told) : undefined,
  ]);
  return quiet + counted.length + finished;
}

/** As it counts: it has no queue that could stand still. */
function toTold(result: DeliveryResult): ToldResult {
  const { verdict } = result;
  const ending = verdict.kind === 'ended' ? verdict.ending : undefined;
  return { result, ending, parked: false };
}
