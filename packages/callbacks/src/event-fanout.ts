import { createEnvelope, newId, PlatformError } from '@posthaste/contracts';
import type { Database, Queryable, Statement } from '@posthaste/postgres';
import { endpointNotFound, parseEndpointId } from './endpoints.js';
import { EventFilters } from './event-filter.js';
import { toEventQueue } from './event-order.js';
import { type IntakeItem, storeCallbacks } from './intake-store.js';
import { eventContentType, type SubscribedEvent, toEventBody } from './subscribed-event.js';
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

/** Turns events into callbacks: one for each endpoint with a subscription that asks for the event. */
export class EventFanout {
  readonly #db: Database;
  readonly #list: SubscriptionList;

  /**
   * @param db where the subscriptions are
   * @param filters compiled filters, shared with those who check subscriptions, if there are
   */
  constructor(db: Database, filters: EventFilters = new EventFilters()) {
    this.#db = db;
    this.#list = new SubscriptionList(filters);
  }

  /**
   * Stores the callbacks that are owed for these events, in their order, and gives their number.
   * The transaction must not have changed subscriptions or endpoints itself.
   * With the consumption of the events in the same transaction, none is lost and none is doubled.
   * They are stored for endpoints that are paused or disabled too, and wait there.
   * @throws PlatformError `DATABASE_*`
   */
  async deliverEvents(tx: Queryable, events: readonly SubscribedEvent[]): Promise<number> {
    if (events.length === 0) return 0;
    const index = await this.#list.current(tx);
    const items = events.flatMap((event) => toItems(event, index.targetsOf(event)));
    const batches = toBatches(items);
    if (batches.length > 1) await lockQueues(tx, items);
    for (const batch of batches) await storeCallbacks(tx, batch, batch === batches.at(-1));
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
    const [item] = toItems({ envelope, key: undefined }, [unordered]);
    if (!item) throw new PlatformError('INTERNAL', 'a test event without a callback');
    await storeCallbacks(this.#db, [item], true);
    return item.id;
  }
}

function toItems(event: SubscribedEvent, targets: readonly EventTarget[]): IntakeItem[] {
  if (targets.length === 0) return [];
  const body = toEventBody(event.envelope);
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
      headers: eventHeaders,
      body,
      policy: target.policy,
      timeoutMs: target.timeoutMs,
      // The endpoint's own, which the signer looks up.
      secret: undefined,
      notificationEmail: target.notificationEmail,
      expiresAt: undefined,
      deliverAfter: undefined,
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
