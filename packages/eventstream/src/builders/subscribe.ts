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
import {
  type GroupNameOptions,
  toWireGroup,
  toWireInstanceId,
  toWireTopic,
} from '../rules/topic-name.js';

/** A subscription. Only a topic and one of the handlers are required. */
export interface SubscribeRequest extends Omit<ConsumerSettings, 'startOffset'> {
  /** Without the prefix. */
  readonly topic: string;
  /** Name of the events. Default: all events. */
  readonly eventName?: string | undefined;
  /** Without the prefix. Default: a new group, used only here. */
  readonly groupId?: string | undefined;
  /**
   * Start of a partition without a committed offset: -1 is the end, -2 the beginning, another
   * number is the offset of a record. Default -1.
   */
  readonly offset?: bigint | number | undefined;
  readonly callback?: EventCallback | undefined;
  /** Gets the bytes of every record, also of unreadable ones. `callback` is not used then. */
  readonly callbackRaw?: RawCallback | undefined;
  /** True if unreadable records go to the dead letters. Default false: they are only counted. */
  readonly sendErrorDlq?: boolean | undefined;
  readonly retry?: RetryOptions | undefined;
  /** Longest time of one call, in ms; after that it counts as failed. Default 300,000. */
  readonly handlerTimeoutMs?: number | undefined;
  /** Aborting it ends the subscription. */
  readonly signal?: AbortSignal | undefined;
}

/** As in the Go SDK. No name contains it. */
const slugSeparator = '$';

type MutableRequest = { -readonly [Field in keyof SubscribeRequest]?: SubscribeRequest[Field] };

/**
 * Builder of a `SubscribeRequest`, as in the Go SDK. Each method changes and returns the builder.
 */
export class SubscribeBuilder {
  readonly #request: MutableRequest = {};

  topic(topic: string): this {
    return this.#set('topic', topic);
  }

  /** Name of the events. Default empty: all events. */
  eventName(eventName: string): this {
    return this.#set('eventName', eventName);
  }

  /** Default empty: a new group, used only here. */
  groupId(groupId: string): this {
    return this.#set('groupId', groupId);
  }

  /** Instance id of a static member, without the prefix. */
  groupInstanceId(groupInstanceId: string): this {
    return this.#set('groupInstanceId', groupInstanceId);
  }

  /**
   * Start without a committed offset: -1 is the end (default), -2 the beginning, else an offset.
   */
  offset(offset: bigint | number): this {
    return this.#set('offset', offset);
  }

  /** Aborting the signal ends the subscription. */
  context(signal: AbortSignal): this {
    return this.#set('signal', signal);
  }

  callback(callback: EventCallback): this {
    return this.#set('callback', callback);
  }

  /** Gets the bytes of every record, also of unreadable ones. `callback` is not used then. */
  callbackRaw(callbackRaw: RawCallback): this {
    return this.#set('callbackRaw', callbackRaw);
  }

  /** True if unreadable records go to the dead letters. */
  sendErrorDlq(sendErrorDlq: boolean): this {
    return this.#set('sendErrorDlq', sendErrorDlq);
  }

  /** True: offsets are committed in batches. False: before the next record is handled. */
  asyncCommitMessage(asyncCommitMessage: boolean): this {
    return this.#set('commit', asyncCommitMessage ? 'batched' : 'each');
  }

  /** Returns topic, event name and group as one text, which identifies the subscriber. */
  slug(): string {
    const { topic = '', eventName = '', groupId = '' } = this.#request;
    return [topic, eventName, groupId].join(slugSeparator);
  }

  /** Returns the request as it is now. Missing fields are reported when it is registered. */
  build(): SubscribeRequest {
    return { topic: '', ...this.#request };
  }

  #set<Field extends keyof MutableRequest>(field: Field, value: MutableRequest[Field]): this {
    this.#request[field] = value;
    return this;
  }
}

/** Returns a builder of a subscription. */
export function newSubscribe(): SubscribeBuilder {
  return new SubscribeBuilder();
}

/** Rules for the names of topics and groups on the wire. */
export interface RegistrationOptions {
  /** Prefix of topics and groups. Empty: no prefix. */
  readonly prefix: string;
  readonly group?: GroupNameOptions | undefined;
}

/** A registration without the handler. */
export type Subscription = Omit<Registration, 'handler'>;

/**
 * Validates a subscription and adds the prefix to its names.
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

/** Does the same for a consumer that has no handler. @throws PlatformError `EVENT_INVALID` */
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
    groupInstanceId: request.groupInstanceId
      ? toWireInstanceId(prefix, request.groupInstanceId, group)
      : undefined,
    eventName: request.eventName ?? '',
    startOffset: offset === undefined ? undefined : toStartOffset(offset),
  };
}

/** @throws PlatformError `EVENT_INVALID` when the subscription is not an object */
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
