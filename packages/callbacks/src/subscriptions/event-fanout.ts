import { createEnvelope, newId, PlatformError } from '@posthaste/contracts';
import type { Database, Queryable, Statement, Transaction } from '@posthaste/postgres';
import { endpointNotFound, parseEndpointId } from '../endpoints/endpoint-state.js';
import { toEventQueue } from '../endpoints/event-order.js';
import { type CallbackEventSink, noEvents, toAcceptedEvents } from '../events/callback-events.js';
import { eventContentType, type SubscribedEvent, toEventBody } from '../events/subscribed-event.js';
import { type IntakeItem, storeCallbacks } from '../intake/intake-store.js';
import { withTrace } from '../request/trace-headers.js';
import { EventFilters } from './event-filter.js';
import { toLoopRule } from './loop-guard.js';
import { type EventTarget, findEventTarget, SubscriptionList } from './subscription-list.js';

/** Name of the event that is sent to try an endpoint out. */
export const testEventName = 'posthaste.test';

const maxBatch = 500;
const maxBatchBytes = 4 * 1024 * 1024;
const eventHeaders: Readonly<Record<string, string>> = { 'content-type': eventContentType };

/**
 * Locks the heads of these queues in the order in which intake and workers lock those of a batch,
 * so that several batches in one transaction cannot deadlock with them.
 */
const lockStatement: Statement = {
  name: 'callbacks_fanout_lock_heads',
  text: `
select from callbacks.head h
where (h.application, h.queue) in (select * from unnest($1::text[], $2::text[]))
order by h.application, h.queue
for no key update`,
};

export interface EventFanoutOptions {
  /** Where the subscriptions are. */
  readonly db: Database;
  /** Compiled filters, shared with those who check subscriptions, if there are. */
  readonly filters?: EventFilters | undefined;
  /** Told of the callbacks that are made. Default: nobody. */
  readonly events?: CallbackEventSink | undefined;
}

/** What is worth reading: nothing at all, or what fits by topic and name. */
export type EventChoice = 'none' | ((topic: string, name: string) => boolean);

/** Turns events into callbacks: one for each endpoint with a subscription that asks for the event. */
export class EventFanout {
  readonly #db: Database;
  readonly #list: SubscriptionList;
  readonly #events: CallbackEventSink;

  constructor({ db, filters = new EventFilters(), events = noEvents }: EventFanoutOptions) {
    this.#db = db;
    this.#list = new SubscriptionList(filters);
    this.#events = events;
  }

  /**
   * Which events of a log are worth reading. To be asked after it is known how far the log goes, so
   * that no subscription made before an event is missed.
   */
  async choose(tx: Queryable): Promise<EventChoice> {
    const index = await this.#list.current(tx);
    return index.isEmpty ? 'none' : (topic, name) => index.asksFor(topic, name);
  }

  /**
   * Stores the callbacks that are owed for these events, in their order, and gives their number.
   * The transaction must not have changed subscriptions or endpoints itself.
   * With the consumption of the events in the same transaction, none is lost and none is doubled.
   * They are stored for endpoints that are paused or disabled too, and wait there.
   * @throws PlatformError `DATABASE_*`
   */
  async deliverEvents(tx: Transaction, events: readonly SubscribedEvent[]): Promise<number> {
    if (events.length === 0) return 0;
    const index = await this.#list.current(tx);
    const items = events.flatMap((event) => toItems(event, index.targetsOf(event)));
    const batches = toBatches(items);
    if (batches.length > 1) await lockQueues(tx, items);
    for (const batch of batches) await storeCallbacks(tx, batch, batch === batches.at(-1));
    await this.#tellAccepted(tx, items);
    return items.length;
  }

  /**
   * Sends an endpoint an event named `posthaste.test`, whatever its subscriptions, in no queue.
   * Gives the id of the callback.
   * @throws PlatformError `ENDPOINT_NOT_FOUND`
   */
  async testEvent(endpointId: string): Promise<string> {
    const target = await findEventTarget(this.#db, parseEndpointId(endpointId));
    if (!target) throw endpointNotFound(endpointId);
    const envelope = createEnvelope({
      name: testEventName,
      namespace: 'posthaste',
      payload: { endpointId: target.endpointId, message: 'This is a test event.' },
    });
    const unordered: EventTarget = { ...target, order: 'none' };
    const [item] = toItems({ topic: 'posthaste', envelope, key: undefined }, [unordered]);
    if (!item) throw new PlatformError('INTERNAL', 'a test event without a callback');
    await this.#db.transaction(async (tx) => {
      await storeCallbacks(tx, [item], true);
      await this.#tellAccepted(tx, [item]);
    });
    return item.id;
  }

  async #tellAccepted(tx: Transaction, items: readonly IntakeItem[]): Promise<void> {
    const told = toAcceptedEvents(items, this.#events);
    if (told.length > 0) await this.#events.append(tx, told);
  }
}

function toItems(event: SubscribedEvent, found: readonly EventTarget[]): IntakeItem[] {
  const { echo, isHeard, except } = toLoopRule(event);
  const targets = isHeard ? found.filter(({ endpointId }) => endpointId !== except) : [];
  if (targets.length === 0) return [];
  const body = toEventBody(event.envelope);
  const headers = withTrace(eventHeaders, event.trace);
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
      headers,
      body,
      policy: target.policy,
      timeoutMs: target.timeoutMs,
      // The endpoint's own, which the signer looks up.
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
