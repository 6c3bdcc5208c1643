import { createHash } from 'node:crypto';
import {
  type Applications,
  PlatformError,
  parseId,
  toApplicationColumn,
} from '@posthaste/contracts';
import type { Database, Statement } from '@posthaste/postgres';
import { buildRequest, type Signer } from '../delivery/attempt-request.js';
import type { Delivery } from '../delivery/delivery.js';
import { endpointNotFound, parseEndpointId } from '../endpoints/endpoint-state.js';
import { toEventQueue, toQueueName } from '../endpoints/event-order.js';
import { createEventMessages } from '../events/event-message.js';
import type { SubscribedEvent } from '../events/subscribed-event.js';
import { type FilterLimitOptions, resolveFilterLimits } from '../filters/filter-limits.js';
import { FilterMatching } from '../filters/filter-matching.js';
import { leftOutPolicy } from '../retry/retry-policy.js';
import { toLoopRule } from '../subscriptions/loop-guard.js';
import {
  type EventTarget,
  findEventTarget,
  SubscriptionList,
} from '../subscriptions/subscription-list.js';

/*
 * Previews of the requests that an endpoint, one subscription of it, or a topic as a whole would
 * get for events. They are made with the same code as callbacks are, and change nothing: no callback
 * is stored, no queue moves. They are not signed, because no secret leaves the server: who gets a
 * preview signs it with a secret of its own.
 */

/** Receiver whose requests are previewed. */
export type PreviewSource =
  | { readonly kind: 'endpoint'; readonly id: string }
  | { readonly kind: 'subscription'; readonly id: string }
  /** Every event that is asked for, as an envelope, ordered by its key. */
  | { readonly kind: 'topic' };

/** Request that a receiver would get for an event, without its signature. */
export interface PreviewedRequest {
  /** Value of `webhook-id`. The same for the same event and receiver. */
  readonly id: string;
  /** Name of the queue that orders the request; undefined: it has no order. */
  readonly queue: string | undefined;
  readonly method: 'POST';
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
  /** Longest time of one attempt, in ms. */
  readonly timeoutMs: number;
}

/** Event of the log, with its place there. */
export interface PlacedEvent extends SubscribedEvent {
  /** Text that no other event of the log has. */
  readonly place: string;
}

/** Receiver that was found. */
export interface PreviewTarget {
  readonly source: PreviewSource;
  readonly endpointId: string | undefined;
}

/** Options of {@link EventPreviews}. */
export interface EventPreviewsOptions {
  /** Database with endpoints and subscriptions. */
  readonly db: Database;
  /** Value of the User-Agent header, that of the dispatcher. Default `Posthaste`. */
  readonly userAgent?: string | undefined;
  readonly filterLimits?: FilterLimitOptions | undefined;
}

const subscriptionStatement: Statement = {
  name: 'callbacks_preview_subscription',
  text: `select s.endpoint_id
    from callbacks.subscription s
    join callbacks.endpoint e on e.id = s.endpoint_id
    where s.id = $1 and ($2::text[] is null or e.application = any($2))`,
};

const unsigned: Signer = { sign: () => undefined };
/** Time of an attempt where there is no endpoint to say it, in ms. */
const defaultTimeoutMs = 15_000;

/** Makes the requests that receivers would get for events. */
export class EventPreviews {
  readonly #db: Database;
  readonly #userAgent: string;
  readonly #list = new SubscriptionList();
  readonly #matching: FilterMatching;

  /** @throws PlatformError `OPTION_INVALID` for limits of filters that are out of range */
  constructor({ db, userAgent = 'Posthaste', filterLimits }: EventPreviewsOptions) {
    this.#db = db;
    this.#userAgent = userAgent;
    this.#matching = new FilterMatching(resolveFilterLimits(filterLimits));
  }

  /**
   * Finds a receiver of these applications.
   * @throws PlatformError `ENDPOINT_NOT_FOUND`, `SUBSCRIPTION_NOT_FOUND`, `DATABASE_*`
   */
  async find(source: PreviewSource, within: Applications): Promise<PreviewTarget> {
    if (source.kind === 'topic') return { source, endpointId: undefined };
    if (source.kind === 'subscription') {
      return this.#findSubscription(source.id, within);
    }
    const found = await findEventTarget(this.#db, parseEndpointId(source.id), within);
    if (!found) throw endpointNotFound(source.id);
    const { endpointId } = found;
    return { source: { kind: 'endpoint', id: endpointId }, endpointId };
  }

  /**
   * Returns the request that the receiver would get for the event; undefined if it would get none.
   * @throws PlatformError `DATABASE_*`; `STOPPING` after `close`
   */
  async preview(target: PreviewTarget, event: PlacedEvent): Promise<PreviewedRequest | undefined> {
    const { echo, isDelivered, excludedEndpointId } = toLoopRule(event);
    const { source, endpointId } = target;
    const id = toPreviewId(`${source.kind} ${endpointId ?? ''} ${event.place}`);
    if (source.kind === 'topic') {
      const queue = event.key === undefined ? undefined : toTopicQueue(event.topic, event.key);
      return this.#toRequest(event, { id, queue, echo, endpoint: undefined });
    }
    if (!isDelivered || excludedEndpointId === endpointId) return undefined;
    const endpoint = await this.#match(target, event);
    if (!endpoint) return undefined;
    const queue = toEventQueue(endpoint.endpointId, endpoint.order, event);
    return this.#toRequest(event, { id, queue, echo, endpoint });
  }

  /** Ends the threads of large filters. Idempotent. */
  close(): Promise<void> {
    return this.#matching.close();
  }

  async #findSubscription(text: string, within: Applications): Promise<PreviewTarget> {
    const id = parseId(text);
    const values = [id, toApplicationColumn(within)];
    const { rows } =
      id === undefined
        ? { rows: [] }
        : await this.#db.query<{ endpoint_id: string }>(subscriptionStatement, values);
    const [row] = rows;
    if (id !== undefined && row) {
      return { source: { kind: 'subscription', id }, endpointId: row.endpoint_id };
    }
    const message = `there is no subscription ${text.slice(0, 64)}`;
    throw new PlatformError('SUBSCRIPTION_NOT_FOUND', message);
  }

  async #match(
    { source, endpointId }: PreviewTarget,
    event: SubscribedEvent,
  ): Promise<EventTarget | undefined> {
    const index = await this.#list.current(this.#db);
    const own = {
      applicationCount: index.applicationCount,
      findSubscriptions: (each: SubscribedEvent) =>
        index
          .findSubscriptions(each)
          .filter(({ id, target }) =>
            source.kind === 'subscription' ? id === source.id : target.endpointId === endpointId,
          ),
    };
    const { targets } = await this.#matching.match(own, [event]);
    return targets[0]?.[0];
  }

  async #toRequest(
    event: SubscribedEvent,
    { id, queue, echo, endpoint }: PreviewParts,
  ): Promise<PreviewedRequest> {
    const { headers, body } = createEventMessages(event)(endpoint?.eventFormat ?? 'envelope');
    const delivery = toDelivery(event, { id, queue, echo, endpoint, headers, body });
    const request = await buildRequest(delivery, {
      endpointHeaders: undefined,
      nowMs: 0,
      signer: unsigned,
      settings: { userAgent: this.#userAgent, maxResponseBytes: 0 },
    });
    return {
      id,
      queue,
      method: 'POST',
      // The moment of an attempt is signed, so who signs sets it.
      headers: request.headers.filter(([name]) => name !== 'webhook-timestamp'),
      body: request.body ?? Buffer.alloc(0),
      timeoutMs: request.timeoutMs,
    };
  }
}

/** Facts of a preview. */
interface PreviewParts {
  readonly id: string;
  readonly queue: string | undefined;
  readonly echo: number;
  readonly endpoint: EventTarget | undefined;
}

/** Returns a delivery as a worker would lease it. No lease and no policy of it is used. */
function toDelivery(
  { application }: SubscribedEvent,
  parts: PreviewParts & {
    readonly headers: Readonly<Record<string, string>>;
    readonly body: Buffer | undefined;
  },
): Delivery {
  const { id, queue, echo, endpoint, headers, body } = parts;
  return {
    callbackId: id,
    leaseToken: '',
    ordered: queue !== undefined,
    application,
    queue,
    endpointId: endpoint?.endpointId,
    leaseIndex: 0,
    fairnessKey: '',
    failures: 0,
    unknowns: 0,
    cancelled: false,
    echo,
    largeBodyBytes: undefined,
    createdAtMs: 0,
    expiresAtMs: undefined,
    request: {
      url: endpoint?.url ?? '',
      method: 'POST',
      headers,
      body,
      policy: endpoint?.policy ?? leftOutPolicy,
      timeoutMs: endpoint?.timeoutMs ?? defaultTimeoutMs,
      secret: undefined,
      notificationEmail: undefined,
    },
  };
}

function toTopicQueue(topic: string, key: string): string {
  return `topic:${topic}:${toQueueName(key)}`;
}

/** Returns an id in the form of a callback's (a UUID of version 8) that the text always has. */
function toPreviewId(text: string): string {
  const bytes = createHash('sha256').update(text).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)];
  return [...parts, hex.slice(20)].join('-');
}
