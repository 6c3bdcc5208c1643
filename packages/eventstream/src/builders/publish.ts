import type { EventEnvelope, Int64, JsonObject } from '@posthaste/contracts';

/** Function for an event that could not be published, called once per topic; `error` names it. */
export type PublishErrorCallback = (event: EventEnvelope<object>, error: unknown) => void;

/** An event to publish. Only topic and event name are required; `''` counts as not given. */
export interface PublishRequest<Payload extends object = object> {
  /** Without the prefix. Several topics get the same id and the same bytes. */
  readonly topic: string | readonly string[];
  readonly eventName: string;
  /**
   * Application that the event belongs to, for the header `posthaste-application`: up to 256
   * characters. Default: the client's.
   */
  readonly application?: string | undefined;
  readonly namespace?: string | undefined;
  readonly parentNamespace?: string | undefined;
  readonly unionNamespace?: string | undefined;
  readonly targetNamespace?: string | undefined;
  readonly sourceNamespace?: string | undefined;
  /** Events of one key keep their order. Default: the event's id. */
  readonly key?: string | undefined;
  /** Default: a new UUID v4 without hyphens. */
  readonly id?: string | undefined;
  readonly clientId?: string | undefined;
  readonly userId?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly traceId?: string | undefined;
  /** Span in Jaeger's form, `trace:span:parent:flags`. Default: derived from `traceparent`. */
  readonly spanContext?: string | undefined;
  /** W3C trace context, for the header. Default: derived from `spanContext`. */
  readonly traceparent?: string | undefined;
  readonly eventId?: Int64 | undefined;
  readonly eventType?: Int64 | undefined;
  readonly eventLevel?: Int64 | undefined;
  readonly serviceName?: string | undefined;
  readonly clientIds?: readonly string[] | undefined;
  readonly targetUserIds?: readonly string[] | undefined;
  readonly privacy?: boolean | undefined;
  readonly additionalFields?: JsonObject | undefined;
  /** Version of the payload's shape. Default 1. */
  readonly version?: Int64 | undefined;
  /** A JSON object; it may contain 64-bit bigints. */
  readonly payload?: Payload | undefined;
  /** Keys of a received event that this release does not know. They are published again. */
  readonly unknownKeys?: JsonObject | undefined;
  /** Moment at which it happened, in nanoseconds since 1970. Default: now. */
  readonly timestampUnixNano?: bigint | undefined;
  readonly onError?: PublishErrorCallback | undefined;
  /** Longest time until the event is stored, retries included, in ms. Default: the client's. */
  readonly timeoutMs?: number | undefined;
  /** Aborting it withdraws the event as long as it was not sent. */
  readonly signal?: AbortSignal | undefined;
}

/** Envelope keys by request field, for the fields that go into the envelope unchanged. */
export const envelopeKeyOf: ReadonlyMap<string, keyof EventEnvelope> = new Map(
  Object.entries({
    parentNamespace: 'parentNamespace',
    unionNamespace: 'unionNamespace',
    clientId: 'clientId',
    traceId: 'traceId',
    userId: 'userId',
    sessionId: 'sessionId',
    eventId: 'event_id',
    eventType: 'event_type',
    eventLevel: 'event_level',
    serviceName: 'service',
    clientIds: 'client_ids',
    targetUserIds: 'target_user_ids',
    targetNamespace: 'target_namespace',
    privacy: 'privacy',
    sourceNamespace: 'sourceNamespace',
    additionalFields: 'additional_fields',
    payload: 'payload',
    unknownKeys: 'unknownKeys',
  } satisfies { [Field in keyof PublishRequest]?: keyof EventEnvelope }),
);

/** Request fields by envelope key. */
export const requestFieldOf: ReadonlyMap<string, string> = new Map(
  [...envelopeKeyOf].map(([field, key]) => [key, field]),
);

type MutableRequest = { -readonly [Field in keyof PublishRequest]?: PublishRequest[Field] };

/** Builder of a `PublishRequest`, as in the Go SDK. Each method changes and returns the builder. */
export class PublishBuilder {
  readonly #request: MutableRequest = {};
  readonly #topics: string[] = [];

  /** Adds topics. */
  topic(...topics: string[]): this {
    this.#topics.push(...topics);
    return this;
  }

  eventName(eventName: string): this {
    return this.#set('eventName', eventName);
  }

  /** Application that the event belongs to, for the header. Default: the client's. */
  application(application: string): this {
    return this.#set('application', application);
  }

  namespace(namespace: string): this {
    return this.#set('namespace', namespace);
  }

  parentNamespace(parentNamespace: string): this {
    return this.#set('parentNamespace', parentNamespace);
  }

  unionNamespace(unionNamespace: string): this {
    return this.#set('unionNamespace', unionNamespace);
  }

  targetNamespace(targetNamespace: string): this {
    return this.#set('targetNamespace', targetNamespace);
  }

  sourceNamespace(sourceNamespace: string): this {
    return this.#set('sourceNamespace', sourceNamespace);
  }

  /** Events of one key keep their order. Default: the event's id. */
  key(key: string): this {
    return this.#set('key', key);
  }

  /** Default: a new UUID v4 without hyphens. */
  id(id: string): this {
    return this.#set('id', id);
  }

  clientId(clientId: string): this {
    return this.#set('clientId', clientId);
  }

  userId(userId: string): this {
    return this.#set('userId', userId);
  }

  sessionId(sessionId: string): this {
    return this.#set('sessionId', sessionId);
  }

  traceId(traceId: string): this {
    return this.#set('traceId', traceId);
  }

  spanContext(spanContext: string): this {
    return this.#set('spanContext', spanContext);
  }

  /** Aborting the signal withdraws the event as long as it was not sent. */
  context(signal: AbortSignal): this {
    return this.#set('signal', signal);
  }

  eventId(eventId: Int64): this {
    return this.#set('eventId', eventId);
  }

  eventType(eventType: Int64): this {
    return this.#set('eventType', eventType);
  }

  eventLevel(eventLevel: Int64): this {
    return this.#set('eventLevel', eventLevel);
  }

  serviceName(serviceName: string): this {
    return this.#set('serviceName', serviceName);
  }

  clientIds(clientIds: readonly string[]): this {
    return this.#set('clientIds', clientIds);
  }

  targetUserIds(targetUserIds: readonly string[]): this {
    return this.#set('targetUserIds', targetUserIds);
  }

  privacy(privacy: boolean): this {
    return this.#set('privacy', privacy);
  }

  additionalFields(additionalFields: JsonObject): this {
    return this.#set('additionalFields', additionalFields);
  }

  /** Version of the payload's shape. Default 1. */
  version(version: Int64): this {
    return this.#set('version', version);
  }

  payload(payload: object): this {
    return this.#set('payload', payload);
  }

  errorCallback(onError: PublishErrorCallback): this {
    return this.#set('onError', onError);
  }

  /** Longest time until the event is stored, retries included, in ms. Default: the client's. */
  timeout(timeoutMs: number): this {
    return this.#set('timeoutMs', timeoutMs);
  }

  /** Returns the request as it is now. Missing fields are reported when it is published. */
  build(): PublishRequest {
    return { eventName: '', ...this.#request, topic: [...this.#topics] };
  }

  #set<Field extends keyof MutableRequest>(field: Field, value: MutableRequest[Field]): this {
    this.#request[field] = value;
    return this;
  }
}

/** Returns a builder of an event. */
export function newPublish(): PublishBuilder {
  return new PublishBuilder();
}
