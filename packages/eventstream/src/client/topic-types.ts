import type { EventEnvelope, JsonObject } from '@posthaste/contracts';
import type { PublishRequest } from '../builders/publish.js';
import type { SubscribeRequest } from '../builders/subscribe.js';
import type { HandlerContext } from '../consume/registration.js';

/**
 * Payload types of a client without types of its own: any JSON may be received, and any object may
 * be published.
 */
export interface AnyTopics {
  readonly [topic: string]: { readonly [eventName: string]: JsonObject };
}

/** Names of the topics. */
export type TopicOf<Topics> = keyof Topics & string;

/** Names of a topic's events. */
export type EventNameOf<Topics, Topic extends TopicOf<Topics>> = keyof Topics[Topic] & string;

/** Payload of an event. */
export type PayloadOf<
  Topics,
  Topic extends TopicOf<Topics>,
  EventName extends EventNameOf<Topics, Topic>,
> = Extract<Topics[Topic][EventName], object>;

/** An event to publish, with the payload type of its topic and name. */
export type TypedPublishRequest<
  Topics,
  Topic extends TopicOf<Topics>,
  EventName extends EventNameOf<Topics, Topic>,
> = Omit<PublishRequest, 'topic' | 'eventName' | 'payload'> & {
  readonly topic: Topic | readonly Topic[];
  readonly eventName: EventName;
} & (string extends keyof Topics
    ? { readonly payload?: object | undefined }
    : { readonly payload: PayloadOf<Topics, Topic, EventName> });

/** A subscription to one event name or to all of a topic, whose handler has the payload type. */
export type TypedSubscribeRequest<
  Topics,
  Topic extends TopicOf<Topics>,
  EventName extends EventNameOf<Topics, Topic>,
> = Omit<SubscribeRequest, 'topic' | 'eventName' | 'callback'> & {
  readonly topic: Topic;
  readonly eventName?: EventName | undefined;
  readonly callback?: TypedCallback<PayloadOf<Topics, Topic, EventName>> | undefined;
};

/** `EventCallback` with the payload type. */
export type TypedCallback<Payload extends object> = (
  ctx: HandlerContext,
  event: EventEnvelope<Payload> | null,
  error: unknown,
) => unknown;

/** A subscription that a loop reads. */
export type TypedConsumeRequest<
  Topics,
  Topic extends TopicOf<Topics>,
  EventName extends EventNameOf<Topics, Topic>,
> = Omit<TypedSubscribeRequest<Topics, Topic, EventName>, 'callback' | 'callbackRaw'>;

/** JSON Schemas (draft 2020-12) of payloads, by topic and event name. */
export type SchemasOf<Topics> = {
  readonly [Topic in TopicOf<Topics>]?: {
    readonly [EventName in EventNameOf<Topics, Topic>]?: object;
  };
};
