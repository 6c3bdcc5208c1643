import {
  type Applications,
  type EventPattern,
  eventTypeOf,
  matchesEventName,
  PlatformError,
  platformTopicOf,
  toApplicationColumn,
  toEventPattern,
} from '@posthaste/contracts';
import type { Queryable, Statement } from '@posthaste/postgres';
import type { EventOrder } from '../endpoints/event-order.js';
import type { EventFormat } from '../events/event-format.js';
import type { SubscribedEvent } from '../events/subscribed-event.js';
import { fromStoredPolicy, type RetryPolicy } from '../retry/retry-policy.js';
import { ApplicationIndexes } from './application-indexes.js';

/** An endpoint, with the settings that its callbacks for events get. */
export interface EventTarget {
  readonly endpointId: string;
  readonly application: string;
  readonly url: string;
  /** Scheme, host and port of the URL. */
  readonly origin: string;
  readonly policy: RetryPolicy;
  readonly timeoutMs: number;
  readonly order: EventOrder;
  readonly eventFormat: EventFormat;
  readonly notificationEmail: string | undefined;
}

interface TargetRow {
  readonly endpoint_id: string;
  readonly application: string;
  readonly url: string;
  readonly policy: unknown;
  readonly timeout_ms: number;
  readonly order_key: EventOrder | null;
  readonly event_format: EventFormat;
  readonly notification_email: string | null;
}

interface SubscriptionRow extends TargetRow {
  readonly id: string;
  readonly event_name: string;
  readonly namespace: string | null;
  readonly filter: string | null;
}

/** A subscription, with the endpoint that it is for. */
export interface IndexedSubscription {
  readonly id: string;
  readonly pattern: EventPattern;
  readonly namespace: string | undefined;
  /** JSON Schema as text, which is the key of its compiled filter. */
  readonly filter: string | undefined;
  readonly target: EventTarget;
}

/** A subscription with a filter. */
export type FilteredSubscription = IndexedSubscription & { readonly filter: string };

/** The copy in `e.policy` of a policy that the application has by a name counts last. */
const targetColumns = `e.id as endpoint_id, e.application, e.url,
  coalesce(o.policy, p.policy, e.policy) as policy, e.timeout_ms, e.order_key, e.event_format,
  e.notification_email`;

const policyJoins = `left join callbacks.policy p on p.name = e.policy_name
    left join callbacks.application_policy o
      on o.application = e.application and o.name = e.own_policy_name`;

const generationStatement: Statement = {
  name: 'callbacks_subscription_generation',
  text: 'select generation from callbacks.subscription_generation',
};

const listStatement: Statement = {
  name: 'callbacks_subscription_list',
  text: `select s.id, s.event_name, s.namespace, s.filter::text as filter, ${targetColumns}
    from callbacks.subscription s
    join callbacks.endpoint e on e.id = s.endpoint_id
    ${policyJoins}
    order by s.id`,
};

const targetStatement: Statement = {
  name: 'callbacks_event_target',
  text: `select ${targetColumns}
    from callbacks.endpoint e
    ${policyJoins}
    where e.id = $1 and ($2::text[] is null or e.application = any($2))`,
};

/** The subscriptions of one application, indexed by the event names that they match. */
export class SubscriptionIndex {
  readonly #byName = new Map<string, IndexedSubscription[]>();
  readonly #withWildcards: IndexedSubscription[] = [];

  constructor(rows: readonly SubscriptionRow[]) {
    const targets = new Map<string, EventTarget>();
    for (const row of rows) {
      const target = targets.get(row.endpoint_id) ?? toTarget(row);
      targets.set(row.endpoint_id, target);
      this.#add({
        id: row.id,
        pattern: toEventPattern(row.event_name),
        namespace: row.namespace ?? undefined,
        filter: row.filter ?? undefined,
        target,
      });
    }
  }

  /** True if a subscription matches events of this name in this topic. */
  matchesName(topic: string, name: string): boolean {
    const origin = toNameOrigin(topic, name);
    if (origin !== 'foreign' && this.#byName.has(name)) return true;
    const segments = name.split('.');
    return this.#withWildcards.some(({ pattern }) => matchesPattern(pattern, origin, segments));
  }

  /** Finds the subscriptions to the event, whatever their filters. Some may be for one endpoint. */
  findSubscriptions({ topic, envelope }: SubscribedEvent): IndexedSubscription[] {
    const { namespace } = envelope;
    const name = eventTypeOf(envelope);
    // An envelope made of a CloudEvent may have another name than its type.
    const shown = platformTopicOf(name) === undefined ? envelope.name : name;
    const origin = shown === name ? toNameOrigin(topic, name) : toNameOrigin('', shown);
    const segments = name.split('.');
    const found: IndexedSubscription[] = [];
    const addIfMatching = (subscription: IndexedSubscription): void => {
      if (subscription.namespace !== undefined && subscription.namespace !== namespace) return;
      found.push(subscription);
    };
    if (origin !== 'foreign') this.#byName.get(name)?.forEach(addIfMatching);
    for (const subscription of this.#withWildcards) {
      if (matchesPattern(subscription.pattern, origin, segments)) addIfMatching(subscription);
    }
    if (origin !== 'foreign') return found;
    const excluded = new Set(this.#subscribersOf(shown));
    return found.filter(({ target }) => !excluded.has(target));
  }

  /** Returns the targets that ask for platform events of this name. */
  #subscribersOf(name: string): EventTarget[] {
    const segments = name.split('.');
    const others = this.#withWildcards.filter(({ pattern }) =>
      matchesPattern(pattern, 'platform', segments),
    );
    return [...(this.#byName.get(name) ?? []), ...others].map(({ target }) => target);
  }

  #add(subscription: IndexedSubscription): void {
    const { exactName } = subscription.pattern;
    if (exactName === undefined) {
      this.#withWildcards.push(subscription);
      return;
    }
    const others = this.#byName.get(exactName);
    if (others) others.push(subscription);
    else this.#byName.set(exactName, [subscription]);
  }
}

/**
 * Origin of an event, by its name and topic:
 * - `platform`: the name of a platform event, in the topic of such events.
 * - `foreign`: the name of a platform event in another topic, where a service or somebody in Kafka
 *   wrote it. It never counts as a platform event: only subscriptions to events of any name get it,
 *   and those only at endpoints that get no platform event of that name, which they could take it for.
 * - `publisher`: any other.
 */
type NameOrigin = 'platform' | 'foreign' | 'publisher';

function toNameOrigin(topic: string, name: string): NameOrigin {
  const platformTopic = platformTopicOf(name);
  if (platformTopic === undefined) return 'publisher';
  return platformTopic === topic ? 'platform' : 'foreign';
}

/** True if the pattern matches. {@link EventPattern} explains the platform's own events. */
function matchesPattern(
  pattern: EventPattern,
  origin: NameOrigin,
  segments: readonly string[],
): boolean {
  if (origin !== 'publisher' && pattern.startsWithWord !== (origin === 'platform')) return false;
  return matchesEventName(pattern, segments);
}

/**
 * A cached copy of the index. The database counts the changes of subscriptions, endpoints and
 * policies. While that count is unchanged, the copy is up to date, so no event misses a
 * subscription that was created before it.
 */
export class SubscriptionList {
  #generation: bigint | undefined;
  #index: ApplicationIndexes<IndexedSubscription> | undefined;

  /** Returns the present index. Not for transactions that have changed subscriptions themselves. */
  async current(db: Queryable): Promise<ApplicationIndexes<IndexedSubscription>> {
    const { rows } = await db.query<{ generation: bigint }>(generationStatement);
    const generation = rows[0]?.generation;
    if (this.#index && generation === this.#generation) return this.#index;
    // Read after the count: if something changes in between, the next call reads again.
    const list = await db.query<SubscriptionRow>(listStatement);
    const byApplication = Map.groupBy(list.rows, ({ application }) => application);
    const toIndex = (rows: readonly SubscriptionRow[]): SubscriptionIndex =>
      new SubscriptionIndex(rows);
    this.#index = new ApplicationIndexes(
      new Map(Array.from(byApplication, ([application, rows]) => [application, toIndex(rows)])),
    );
    this.#generation = generation;
    return this.#index;
  }
}

/** Finds an endpoint of these applications as a target of events; `undefined` without one. */
export async function findEventTarget(
  db: Queryable,
  endpointId: string,
  within: Applications,
): Promise<EventTarget | undefined> {
  const values = [endpointId, toApplicationColumn(within)];
  const { rows } = await db.query<TargetRow>(targetStatement, values);
  return rows[0] && toTarget(rows[0]);
}

function toTarget(row: TargetRow): EventTarget {
  const url = URL.parse(row.url);
  if (!url) throw new PlatformError('INTERNAL', `endpoint ${row.endpoint_id} has an invalid URL`);
  return {
    endpointId: row.endpoint_id,
    application: row.application,
    url: row.url,
    origin: url.origin,
    policy: fromStoredPolicy(row.policy),
    timeoutMs: row.timeout_ms,
    order: row.order_key ?? 'none',
    eventFormat: row.event_format,
    notificationEmail: row.notification_email ?? undefined,
  };
}
