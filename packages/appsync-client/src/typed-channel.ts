import { AppSyncError } from './appsync-error.js';
import type { PublishOptions, PublishResult } from './publish.js';
import {
  type ParsedEvent,
  parseEvents,
  type SubscribeOptions,
  type Subscription,
} from './subscription.js';

/**
 * Validator of any library that has the Standard Schema (https://standardschema.dev). `Input` differs
 * from `Event` if it transforms values.
 */
export interface Validator<Event, Input = Event> {
  readonly '~standard': {
    readonly validate: (value: unknown) => ValidatorResult<Event> | Promise<ValidatorResult<Event>>;
    readonly types?: { readonly input: Input; readonly output: Event } | undefined;
  };
}

/** Result of a validator. */
export type ValidatorResult<Event> =
  | { readonly value: Event; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string }[] };

/** Client of a typed channel. */
export interface ChannelClient {
  subscribe(channel: string, options?: SubscribeOptions): Subscription;
  publishJson(
    channel: string,
    values: readonly unknown[],
    options?: PublishOptions,
  ): Promise<PublishResult>;
}

/** Subscription whose events have a type. */
export interface TypedSubscription<Event>
  extends AsyncIterable<ParsedEvent<Event>>,
    AsyncDisposable {
  /** Resolves when the server has acknowledged; rejects with the reason if it refuses. */
  readonly ready: Promise<void>;
  /** Items that were dropped because the consumer was slow. */
  readonly dropped: number;
  /** Ends it, behind the items that wait. @throws those of `Subscription.unsubscribe` */
  unsubscribe(): Promise<void>;
}

/** A channel whose events have a type. */
export class TypedChannel<Event, Input = Event> {
  readonly #client: ChannelClient;
  readonly #channel: string;
  readonly #validator: Validator<Event, Input>;

  constructor(client: ChannelClient, channel: string, validator: Validator<Event, Input>) {
    this.#client = client;
    this.#channel = channel;
    this.#validator = validator;
  }

  /** Subscribes at once. An event that is not valid is an item of type `invalid`, and no throw. */
  subscribe(options?: SubscribeOptions): TypedSubscription<Event> {
    const subscription = this.#client.subscribe(this.#channel, options);
    return {
      ready: subscription.ready,
      get dropped() {
        return subscription.dropped;
      },
      unsubscribe: () => subscription.unsubscribe(),
      [Symbol.asyncIterator]: () => parseEvents(subscription, (value) => this.#validate(value)),
      [Symbol.asyncDispose]: () => subscription[Symbol.asyncDispose](),
    };
  }

  /** Publishes events that are valid. @throws AppSyncError `type_assertion`, and those of `publish` */
  async publish(events: readonly Input[], options?: PublishOptions): Promise<PublishResult> {
    for (const event of events) await this.#validate(event);
    return this.#client.publishJson(this.#channel, events, options);
  }

  async #validate(value: unknown): Promise<Event> {
    const result = await this.#validator['~standard'].validate(value);
    if (result.issues === undefined) return result.value;
    const why = result.issues.map(({ message }) => message).join('; ');
    throw new AppSyncError('type_assertion', `the event is not valid: ${why}`);
  }
}
