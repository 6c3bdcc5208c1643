import { type JsonObject, PlatformError, stringifyExactJson } from '@posthaste/contracts';
import type { Queryable, Statement } from '@posthaste/postgres';
import type { EventOrder } from '../endpoints/event-order.js';
import { callbackEventTopic } from '../events/callback-events.js';
import type { SubscribedEvent } from '../events/subscribed-event.js';
import { fromStoredPolicy, type RetryPolicy } from '../retry/retry-policy.js';
import type { EventFilters } from './event-filter.js';
import { type EventPattern, matchesEventName, toEventPattern } from './event-match.js';

/** What of an endpoint goes into the callbacks made for events. */
export interface EventTarget {
  readonly endpointId: string;
  readonly application: string;
  readonly url: string;
  /** Scheme, host and port of the URL. */
  readonly origin: string;
  readonly policy: RetryPolicy;
  readonly timeoutMs: number;
  readonly order: EventOrder;
  readonly notificationEmail: string | undefined;
}

interface TargetRow {
  readonly endpoint_id: string;
  readonly application: string;
  readonly url: string;
  readonly policy: unknown;
  readonly timeout_ms: number;
  readonly order_key: EventOrder | null;
  readonly notification_email: string | null;
}

interface SubscriptionRow extends TargetRow {
  readonly event_name: string;
  readonly namespace: string | null;
  readonly filter: string | null;
}

interface Candidate {
  readonly pattern: EventPattern;
  readonly namespace: string | undefined;
  /** JSON Schema as text: what compiled filters are kept by. */
  readonly filter: string | undefined;
  readonly target: EventTarget;
}

const targetColumns = `e.id as endpoint_id, e.application, e.url,
  coalesce(p.policy, e.policy) as policy, e.timeout_ms, e.order_key, e.notification_email`;

const generationStatement: Statement = {
  name: 'callbacks_subscription_generation',
  text: 'select generation from callbacks.subscription_generation',
};

const listStatement: Statement = {
  name: 'callbacks_subscription_list',
  text: `select s.event_name, s.namespace, s.filter::text as filter, ${targetColumns}
    from callbacks.subscription s
    join callbacks.endpoint e on e.id = s.endpoint_id
    left join callbacks.policy p on p.name = e.policy_name
    order by s.id`,
};

const targetStatement: Statement = {
  name: 'callbacks_event_target',
  text: `select ${targetColumns}
    from callbacks.endpoint e left join callbacks.policy p on p.name = e.policy_name
    where e.id = $1`,
};

/** What events are matched with: all subscriptions, by the names they ask for. */
export class SubscriptionIndex {
  readonly #filters: EventFilters;
  readonly #byName = new Map<string, Candidate[]>();
  readonly #withStars: Candidate[] = [];

  constructor(rows: readonly SubscriptionRow[], filters: EventFilters) {
    this.#filters = filters;
    const targets = new Map<string, EventTarget>();
    for (const row of rows) {
      const target = targets.get(row.endpoint_id) ?? toTarget(row);
      targets.set(row.endpoint_id, target);
      this.#add({
        pattern: toEventPattern(row.event_name),
        namespace: row.namespace ?? undefined,
        filter: row.filter ?? undefined,
        target,
      });
    }
  }

  /** Whether there is no subscription at all. */
  get isEmpty(): boolean {
    return this.#byName.size === 0 && this.#withStars.length === 0;
  }

  /** Whether any subscription asks for events of this name in this topic. */
  asksFor(topic: string, name: string): boolean {
    if (this.#byName.has(name)) return true;
    const segments = name.split('.');
    return this.#withStars.some(({ pattern }) => isMeant(pattern, topic, segments));
  }

  /** The endpoints that are owed the event, each once however many subscriptions ask for it. */
  targetsOf({ topic, envelope }: SubscribedEvent): EventTarget[] {
    const { name, namespace } = envelope;
    const segments = name.split('.');
    const payload = lazily(() => toPlainJson(envelope.payload));
    const targets = new Set<EventTarget>();
    const consider = ({ filter, target, ...asked }: Candidate): void => {
      if (targets.has(target)) return;
      if (asked.namespace !== undefined && asked.namespace !== namespace) return;
      if (filter === undefined || this.#filters.matches(filter, payload())) targets.add(target);
    };
    this.#byName.get(name)?.forEach(consider);
    for (const candidate of this.#withStars) {
      if (isMeant(candidate.pattern, topic, segments)) consider(candidate);
    }
    return [...targets];
  }

  #add(candidate: Candidate): void {
    const { exactName } = candidate.pattern;
    if (exactName === undefined) {
      this.#withStars.push(candidate);
      return;
    }
    const others = this.#byName.get(exactName);
    if (others) others.push(candidate);
    else this.#byName.set(exactName, [candidate]);
  }
}

/** See event-match.ts. */
function isMeant(pattern: EventPattern, topic: string, segments: readonly string[]): boolean {
  if (topic === callbackEventTopic && !pattern.named) return false;
  return matchesEventName(pattern, segments);
}

/**
 * The index in memory. The database counts the changes of what is in it: while the count is the
 * same, the copy is the present one, so that no event misses a subscription made before it.
 */
export class SubscriptionList {
  readonly #filters: EventFilters;
  #generation: bigint | undefined;
  #index: SubscriptionIndex | undefined;

  constructor(filters: EventFilters) {
    this.#filters = filters;
  }

  /** The index as of now. Not to be asked in a transaction that has itself changed subscriptions. */
  async current(db: Queryable): Promise<SubscriptionIndex> {
    const { rows } = await db.query<{ generation: bigint }>(generationStatement);
    const generation = rows[0]?.generation;
    if (this.#index && generation === this.#generation) return this.#index;
    // Read after the count: a change in between makes the next call read again.
    const list = await db.query<SubscriptionRow>(listStatement);
    this.#index = new SubscriptionIndex(list.rows, this.#filters);
    this.#generation = generation;
    return this.#index;
  }
}

/** What an event for this endpoint takes from it; `undefined` when there is no such endpoint. */
export async function findEventTarget(
  db: Queryable,
  endpointId: string,
): Promise<EventTarget | undefined> {
  const { rows } = await db.query<TargetRow>(targetStatement, [endpointId]);
  return rows[0] && toTarget(rows[0]);
}

function toTarget(row: TargetRow): EventTarget {
  const url = URL.parse(row.url);
  if (!url) throw new PlatformError('INTERNAL', `endpoint ${row.endpoint_id} has no URL`);
  return {
    endpointId: row.endpoint_id,
    application: row.application,
    url: row.url,
    origin: url.origin,
    policy: fromStoredPolicy(row.policy),
    timeoutMs: row.timeout_ms,
    order: row.order_key ?? 'none',
    notificationEmail: row.notification_email ?? undefined,
  };
}

/** What schemas know: an integer beyond 2^53 as the nearest number, no payload as an empty one. */
function toPlainJson(payload: JsonObject | undefined): unknown {
  return JSON.parse(stringifyExactJson(payload ?? {}));
}

function lazily<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
