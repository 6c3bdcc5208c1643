import { createHash } from 'node:crypto';
import type { ErrorCode } from '@posthaste/contracts';
import type { Queryable, Statement } from '@posthaste/postgres';

/** Codes of faults of filters. */
export type FilterFaultCode = Extract<ErrorCode, `FILTER_${string}`>;

/** Reason why an event was not delivered for a subscription, although it might match. */
export interface FilterFault {
  readonly subscriptionId: string;
  readonly application: string;
  /** The filter as JSON, letter for letter as it is stored. */
  readonly filter: string;
  readonly code: FilterFaultCode;
  readonly message: string;
  readonly eventId: string;
}

/** Fault of a subscription's filter, as it is shown. */
export interface SubscriptionFault {
  readonly code: FilterFaultCode;
  readonly message: string;
  /** The event that was not delivered for the subscription. Others may follow it unrecorded. */
  readonly eventId: string;
  readonly at: Date;
}

/** Subscriptions that somebody changes at the same time are left out: nothing waits, and nobody for it. */
const markStatement: Statement = {
  name: 'callbacks_mark_filter_faults',
  text: `
with fault as (
  select * from unnest($1::uuid[], $2::bytea[], $3::text[], $4::text[], $5::text[])
    as f (id, filter_hash, code, message, event_id)
), marked as (
  select s.id from callbacks.subscription s join fault f on f.id = s.id
  where sha256(convert_to(s.filter::text, 'UTF8')) = f.filter_hash
  order by s.id for no key update of s skip locked
)
update callbacks.subscription s
set fault = json_build_object('code', f.code, 'message', f.message, 'eventId', f.event_id, 'at', now())
from fault f join marked m on m.id = f.id where s.id = f.id`,
};

/** Shortest time between two marks of a subscription for the same code, in ms. */
const markEveryMs = 60_000;
/** Most marks of one batch of events, because they are written in its transaction. */
const maxMarksPerBatch = 500;
/** Marks that are remembered; beyond that, all are forgotten. */
const maxMarks = 10_000;

/** Chooses the faults that are written to their subscriptions: the first ones, and then some. */
export class FilterFaultMarks {
  readonly #now: () => number;
  readonly #marks = new Map<string, Pick<FilterFault, 'code' | 'eventId'> & { at: number }>();
  #subscriptions: object | undefined;

  /** @param now monotonic clock, in ms */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /**
   * Returns the faults to write, at most one of each subscription.
   * @param subscriptions any object that is another one after subscriptions have changed: a change
   *   removes the fault of its subscription, so that the next one is written again
   */
  choose(faults: readonly FilterFault[], subscriptions: object): FilterFault[] {
    if (this.#subscriptions !== subscriptions || this.#marks.size > maxMarks) this.#marks.clear();
    this.#subscriptions = subscriptions;
    const now = this.#now();
    let count = 0;
    return faults.filter(({ subscriptionId, code, eventId }) => {
      if (count >= maxMarksPerBatch) return false;
      const last = this.#marks.get(subscriptionId);
      // The same event comes again if the transaction that should have written its fault failed.
      const isWritten =
        last?.code === code && last.eventId !== eventId && now - last.at < markEveryMs;
      if (isWritten) return false;
      this.#marks.set(subscriptionId, { code, eventId, at: now });
      count += 1;
      return true;
    });
  }
}

/** Writes faults to their subscriptions, if these still have the filter. */
export async function markFaults(tx: Queryable, faults: readonly FilterFault[]): Promise<void> {
  if (faults.length === 0) return;
  // The last one of each subscription.
  const rows = [...new Map(faults.map((fault) => [fault.subscriptionId, fault])).values()];
  await tx.query(markStatement, [
    rows.map(({ subscriptionId }) => subscriptionId),
    rows.map(({ filter }) => createHash('sha256').update(filter).digest()),
    rows.map(({ code }) => code),
    rows.map(({ message }) => message),
    rows.map(({ eventId }) => eventId),
  ]);
}
