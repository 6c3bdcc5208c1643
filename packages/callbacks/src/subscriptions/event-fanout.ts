import { type Applications, createEnvelope, newId, PlatformError } from '@posthaste/contracts';
import type { Database, Queryable, Statement, Transaction } from '@posthaste/postgres';
import { endpointNotFound, parseEndpointId } from '../endpoints/endpoint-state.js';
import { toEventQueue } from '../endpoints/event-order.js';
import { type CallbackEventSink, noEvents } from '../events/callback-events.js';
import { createEventMessages } from '../events/event-message.js';
import type { SubscribedEvent } from '../events/subscribed-event.js';
import { type FilterFault, FilterFaultMarks, markFaults } from '../filters/filter-fault.js';
import { type FilterLimitOptions, resolveFilterLimits } from '../filters/filter-limits.js';
import { FilterMatching } from '../filters/filter-matching.js';
import { toAcceptedEvents } from '../intake/accepted-events.js';
import { type IntakeItem, storeCallbacks } from '../intake/intake-store.js';
import { toLoopRule } from './loop-guard.js';
import { type EventTarget, findEventTarget, SubscriptionList } from './subscription-list.js';

/** Name of the event that is sent to test an endpoint. */
export const testEventName = 'posthaste.test';

const maxBatch = 500;
const maxBatchBytes = 4 * 1024 * 1024;

/**
 * Locks the heads of all queues of a transaction, in the order in which intake and workers lock the
 * heads of a batch. Without it, a transaction with several batches could deadlock with them.
 */
const lockStatement: Statement = {
  name: 'callbacks_fanout_lock_heads',
  text: `
select from callbacks.head h
where (h.application, h.queue) in (select * from unnest($1::text[], $2::text[]))
order by h.application, h.queue
for no key update`,
};

/** Options of {@link EventFanout}. */
export interface EventFanoutOptions {
  /** Database with the subscriptions. */
  readonly db: Database;
  /** Sink of the events `callback.accepted`. Default: none. */
  readonly events?: CallbackEventSink | undefined;
  /** Limits of the work of filters. Default: see `FilterLimitOptions`. */
  readonly filterLimits?: FilterLimitOptions | undefined;
  /**
   * Called with all faults of a batch, and with those of them that are new, which are written to
   * their subscriptions. Must not throw. Default: does nothing.
   */
  readonly onFilterFaults?: OnFilterFaults | undefined;
}

/** Options of a test event. */
interface TestOptions {
  /** Applications to whose endpoints the caller may send. */
  readonly within: Applications;
  /** Number of deliveries that led to the test: see loop-guard.ts. Default 0. */
  readonly hops?: number | undefined;
}

/** Observer of faults of filters. */
export type OnFilterFaults = (
  faults: readonly FilterFault[],
  newFaults: readonly FilterFault[],
) => void;

/** Selects the events of a log that a subscription may match: `none`, or some by topic and name. */
export type EventSelector = 'none' | ((topic: string, name: string) => boolean);

/** Turns events into callbacks: one for each endpoint with a matching subscription. */
export class EventFanout {
  readonly #db: Database;
  readonly #list: SubscriptionList;
  readonly #events: CallbackEventSink;
  readonly #matching: FilterMatching;
  readonly #marks = new FilterFaultMarks();
  readonly #onFilterFaults: OnFilterFaults;

  /** @throws PlatformError `OPTION_INVALID` for limits of filters that are out of range */
  constructor(options: EventFanoutOptions) {
    const { db, events = noEvents, filterLimits, onFilterFaults = () => undefined } = options;
    this.#db = db;
    this.#list = new SubscriptionList();
    this.#events = events;
    this.#matching = new FilterMatching(resolveFilterLimits(filterLimits));
    this.#onFilterFaults = onFilterFaults;
  }

  /**
   * Returns the selector of the events that the present subscriptions may match. Call it after the
   * end of the batch in the log is fixed: then no subscription created before an event is missed.
   */
  async currentSelector(tx: Queryable): Promise<EventSelector> {
    const index = await this.#list.current(tx);
    return index.isEmpty ? 'none' : (topic, name) => index.matchesName(topic, name);
  }

  /**
   * Stores the callbacks for these events, in their order. If the same transaction stores that the
   * events were consumed, no callback is lost or created twice. Callbacks for endpoints that are
   * paused or disabled are stored too, and wait. The transaction must not have changed
   * subscriptions or endpoints itself. An event is not stored for a subscription whose filter is faulty
   * for it; the subscription then shows the fault.
   * @returns the number of callbacks
   * @throws PlatformError `DATABASE_*`; `STOPPING` after `close`
   */
  async deliverEvents(tx: Transaction, events: readonly SubscribedEvent[]): Promise<number> {
    if (events.length === 0) return 0;
    const index = await this.#list.current(tx);
    const { targets, faults } = await this.#matching.match(index, events);
    const items = events.flatMap((event, position) => toItems(event, targets[position] ?? []));
    const batches = toBatches(items);
    if (batches.length > 1) await lockQueues(tx, items);
    for (const batch of batches) await storeCallbacks(tx, batch, batch === batches.at(-1));
    await this.#emitAccepted(tx, items);
    if (faults.length > 0) {
      const newFaults = this.#marks.choose(faults, index);
      await markFaults(tx, newFaults);
      this.#onFilterFaults(faults, newFaults);
    }
    return items.length;
  }

  /** Ends the threads that match large filters. Idempotent. */
  close(): Promise<void> {
    return this.#matching.close();
  }

  /**
   * Sends an endpoint an event named `posthaste.test`, independent of its subscriptions and in no
   * queue.
   * @returns the id of the callback
   * @throws PlatformError `ENDPOINT_NOT_FOUND`
   */
  async testEvent(endpointId: string, { within, hops = 0 }: TestOptions): Promise<string> {
    const target = await findEventTarget(this.#db, parseEndpointId(endpointId), within);
    if (!target) throw endpointNotFound(endpointId);
    const envelope = createEnvelope({
      name: testEventName,
      namespace: 'posthaste',
      payload: { endpointId: target.endpointId, message: 'This is a test event.' },
    });
    const unordered: EventTarget = { ...target, order: 'none' };
    const { application } = target;
    const event = { topic: 'posthaste', application, envelope, key: undefined, hops };
    const [item] = toItems(event, [unordered]);
    if (!item) throw new PlatformError('INTERNAL', 'the test event made no callback');
    await this.#db.transaction(async (tx) => {
      await storeCallbacks(tx, [item], true);
      await this.#emitAccepted(tx, [item]);
    });
    return item.id;
  }

  async #emitAccepted(tx: Transaction, items: readonly IntakeItem[]): Promise<void> {
    const events = toAcceptedEvents(items, this.#events);
    if (events.length > 0) await this.#events.append(tx, events);
  }
}

function toItems(event: SubscribedEvent, found: readonly EventTarget[]): IntakeItem[] {
  const { echo, isDelivered, excludedEndpointId } = toLoopRule(event);
  if (!isDelivered) return [];
  const targets = found.filter(({ endpointId }) => endpointId !== excludedEndpointId);
  if (targets.length === 0) return [];
  const messageOf = createEventMessages(event);
  return targets.map((target) => ({
    id: newId(),
    idempotency: undefined,
    request: {
      application: target.application,
      queue: toEventQueue(target.endpointId, target.order, event),
      endpointId: target.endpointId,
      url: target.url,
      origin: target.origin,
      method: 'POST',
      ...messageOf(target.eventFormat),
      policy: target.policy,
      timeoutMs: target.timeoutMs,
      // Without a name, the signer uses the secret of the endpoint.
      secret: undefined,
      notificationEmail: target.notificationEmail,
      expiresAt: undefined,
      deliverAfter: undefined,
      echo,
    },
  }));
}

function toBatches(items: readonly IntakeItem[]): IntakeItem[][] {
  const batches: IntakeItem[][] = [];
  let bytes = 0;
  for (const item of items) {
    const size = item.request.body?.length ?? 0;
    const last = batches.at(-1);
    if (last && last.length < maxBatch && bytes + size <= maxBatchBytes) {
      last.push(item);
      bytes += size;
    } else {
      batches.push([item]);
      bytes = size;
    }
  }
  return batches;
}

async function lockQueues(tx: Queryable, items: readonly IntakeItem[]): Promise<void> {
  const ordered = items.filter(({ request }) => request.queue !== undefined);
  await tx.query(lockStatement, [
    ordered.map(({ request }) => request.application),
    ordered.map(({ request }) => request.queue),
  ]);
}
