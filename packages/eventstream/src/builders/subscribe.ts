import type {
  ConsumerSettings,
  EventCallback,
  RawCallback,
  Registration,
  RegistrationHandler,
} from '../consume/registration.js';
import type { RetryOptions } from '../consume/retry-policy.js';
import { invalidEvent } from '../rules/invalid-event.js';
import { checkCallbacks, checkSubscribed, toStartOffset } from '../rules/subscribe-rules.js';
import { type GroupNameOptions, toWireGroup, toWireTopic } from '../rules/topic-name.js';

/** A subscription. Only a topic and one of the callbacks must be given. */
export interface SubscribeRequest extends Omit<ConsumerSettings, 'startOffset'> {
  /** Without the prefix. */
  readonly topic: string;
  /** Default: all events. */
  readonly eventName?: string | undefined;
  /** Without the prefix. Default: a new group of its own. */
  readonly groupId?: string | undefined;
  /**
   * Where a partition without a committed offset begins: -1 at the end, -2 at the beginning, or at
   * the record of this number. Default -1.
   */
  readonly offset?: bigint | number | undefined;
  readonly callback?: EventCallback | undefined;
  /** Gets the bytes of every record, whatever they hold; then `callback` is not used. */
  readonly callbackRaw?: RawCallback | undefined;
  /** Whether records that cannot be read go to the dead letters. Default: they are only counted. */
  readonly sendErrorDlq?: boolean | undefined;
  readonly retry?: RetryOptions | undefined;
  /** Time of one call, in milliseconds; then it counts as failed. Default 300,000. */
  readonly handlerTimeoutMs?: number | undefined;
  /** Aborting it ends the subscription. */
  readonly signal?: AbortSignal | undefined;
}

/** As in the Go SDK; stands in no name. */
const slugSeparator = '$';

type Draft = { -readonly [Field in keyof SubscribeRequest]?: SubscribeRequest[Field] };

/** Builds a `SubscribeRequest` in the manner of the Go SDK. Each method changes it and returns it. */
export class SubscribeBuilder {
  readonly #draft: Draft = {};

  topic(topic: string): this {
    return this.#set('topic', topic);
  }

  /** Empty, the default: all events. */
  eventName(eventName: string): this {
    return this.#set('eventName', eventName);
  }

  /** Empty, the default: a new group of its own. */
  groupId(groupId: string): this {
    return this.#set('groupId', groupId);
  }

  /** Static membership. */
  groupInstanceId(groupInstanceId: string): this {
    return this.#set('groupInstanceId', groupInstanceId);
  }

  /** -1 end, the default; -2 beginning; or the number of a record. */
  offset(offset: bigint | number): this {
    return this.#set('offset', offset);
  }

  /** Aborting it ends the subscription. */
  context(signal: AbortSignal): this {
    return this.#set('signal', signal);
  }

  callback(callback: EventCallback): this {
    return this.#set('callback', callback);
  }

  /** Gets the bytes of every record, whatever they hold; then `callback` is not used. */
  callbackRaw(callbackRaw: RawCallback): this {
    return this.#set('callbackRaw', callbackRaw);
  }

  /** Whether records that cannot be read go to the dead letters. */
  sendErrorDlq(sendErrorDlq: boolean): this {
    return this.#set('sendErrorDlq', sendErrorDlq);
  }

  /** True: offsets are stored in batches. False: before the next record is handled. */
  asyncCommitMessage(asyncCommitMessage: boolean): this {
    return this.#set('commit', asyncCommitMessage ? 'batched' : 'each');
  }

  /** Topic, event name and group in one text: what tells one subscriber from another. */
  slug(): string {
    const { topic = '', eventName = '', groupId = '' } = this.#draft;
    return [topic, eventName, groupId].join(slugSeparator);
  }

  /** The request as it is now; what is missing is found when it is registered. */
  build(): SubscribeRequest {
    return { topic: '', ...this.#draft };
  }

  #set<Field extends keyof Draft>(field: Field, value: Draft[Field]): this {
    this.#draft[field] = value;
    return this;
  }
}

export function newSubscribe(): SubscribeBuilder {
  return new SubscribeBuilder();
}

export interface RegistrationOptions {
  /** Of topics and groups; empty: none. */
  readonly prefix: string;
  readonly group?: GroupNameOptions | undefined;
}

/** What a subscription asks for, apart from what is done with the events. */
export type Subscription = Omit<Registration, 'handler'>;

/**
 * Validates a subscription and puts the prefix to its names.
 * @throws PlatformError `EVENT_INVALID` with `details.field`
 */
export function toRegistration(
  subscribe: SubscribeRequest | SubscribeBuilder,
  options: RegistrationOptions,
): Registration {
  const request = toSubscribeRequest(subscribe);
  const subscription = toSubscription(request, options);
  checkCallbacks(request.callback, request.callbackRaw);
  return { ...subscription, handler: toHandler(request) };
}

/** The same for who takes the events without a callback. @throws PlatformError `EVENT_INVALID` */
export function toSubscription(
  subscribe: SubscribeRequest | SubscribeBuilder,
  { prefix, group }: RegistrationOptions,
): Subscription {
  const { callback, callbackRaw, offset, ...request } = toSubscribeRequest(subscribe);
  checkSubscribed(request);
  return {
    ...request,
    topic: toWireTopic(prefix, request.topic),
    groupId: toWireGroup(prefix, request.groupId ?? '', group),
    groupInstanceId: request.groupInstanceId || undefined,
    eventName: request.eventName ?? '',
    startOffset: offset === undefined ? undefined : toStartOffset(offset),
  };
}

/** @throws PlatformError `EVENT_INVALID` when it is nothing at all */
function toSubscribeRequest(subscribe: SubscribeRequest | SubscribeBuilder): SubscribeRequest {
  if (subscribe instanceof SubscribeBuilder) return subscribe.build();
  if (typeof subscribe === 'object' && subscribe !== null) return subscribe;
  throw invalidEvent('unable to subscribe nil event', 'event', 'must be an object');
}

function toHandler({ callback, callbackRaw }: SubscribeRequest): RegistrationHandler {
  if (callbackRaw) return { kind: 'raw', callback: callbackRaw };
  if (callback) return { kind: 'event', callback };
  throw invalidEvent('callback should not be nil', 'callback', 'must be a function');
}
