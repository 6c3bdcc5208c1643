import { AppSyncError } from './appsync-error.js';
import type { PublishOptions, PublishResult } from './publish.js';
import {
  type ParsedEvent,
  parseEvents,
  type SubscribeOptions,
  type Subscription,
} from './subscription.js';

/** Validator of any library that has the Standard Schema (https://standardschema.dev). */
export interface Validator<Event> {
  readonly '~standard': {
    readonly validate: (value: unknown) => ValidatorResult<Event> | Promise<ValidatorResult<Event>>;
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

/** A channel whose events have a type. */
export class TypedChannel<Event> {
  readonly #client: ChannelClient;
  readonly #channel: string;
  readonly #validator: Validator<Event>;

  constructor(client: ChannelClient, channel: string, validator: Validator<Event>) {
    this.#client = client;
    this.#channel = channel;
    this.#validator = validator;
  }

  /** Iterates over the events. One that is not valid is an item of type `invalid`, and no throw. */
  async *subscribe(options?: SubscribeOptions): AsyncGenerator<ParsedEvent<Event>> {
    const subscription = this.#client.subscribe(this.#channel, options);
    yield* parseEvents(subscription, (value) => this.#validate(value));
  }

  /** Publishes events that are valid. @throws AppSyncError `type_assertion`, and those of `publish` */
  async publish(events: readonly Event[], options?: PublishOptions): Promise<PublishResult> {
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
