import type { EventEnvelope, Int64, JsonObject } from '@posthaste/contracts';

/** Told of an event that could not be published, once for each topic; `error` says which. */
export type PublishErrorCallback = (event: EventEnvelope<object>, error: unknown) => void;

/** An event to publish. Only topic and event name must be given; `''` is as good as nothing. */
export interface PublishRequest<Payload extends object = object> {
  /** Without the prefix. To several topics go the same id and the same bytes. */
  readonly topic: string | readonly string[];
  readonly eventName: string;
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
  /** Jaeger's text of a span, `trace:span:parent:flags`. Default: that of `traceparent`. */
  readonly spanContext?: string | undefined;
  /** W3C trace context, for the header. Default: that of `spanContext`. */
  readonly traceparent?: string | undefined;
  readonly eventId?: Int64 | undefined;
  readonly eventType?: Int64 | undefined;
  readonly eventLevel?: Int64 | undefined;
  readonly serviceName?: string | undefined;
  readonly clientIds?: readonly string[] | undefined;
  readonly targetUserIds?: readonly string[] | undefined;
  readonly privacy?: boolean | undefined;
  readonly additionalFields?: JsonObject | undefined;
  /** Of the payload's shape. Default 1. */
  readonly version?: Int64 | undefined;
  /** A JSON object; it may hold bigints of 64 bits. */
  readonly payload?: Payload | undefined;
  /** What a received event had beside the known keys: published again, it has it again. */
  readonly unknownKeys?: JsonObject | undefined;
  /** When it happened, in nanoseconds since 1970. Default: now. */
  readonly timestampUnixNano?: bigint | undefined;
  readonly onError?: PublishErrorCallback | undefined;
  /** Time until it must be stored, retries included, in milliseconds. Default: the client's. */
  readonly timeoutMs?: number | undefined;
  /** Takes the event back while it has not been sent. */
  readonly signal?: AbortSignal | undefined;
}

type Draft = { -readonly [Field in keyof PublishRequest]?: PublishRequest[Field] };

/** Builds a `PublishRequest` in the manner of the Go SDK. Each method changes it and returns it. */
export class PublishBuilder {
  readonly #draft: Draft = {};
  readonly #topics: string[] = [];

  /** Adds topics. */
  topic(...topics: string[]): this {
    this.#topics.push(...topics);
    return this;
  }

  eventName(eventName: string): this {
    return this.#set('eventName', eventName);
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

  /** Takes the event back while it has not been sent. */
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

  /** Of the payload's shape. Default 1. */
  version(version: Int64): this {
    return this.#set('version', version);
  }

  payload(payload: object): this {
    return this.#set('payload', payload);
  }

  errorCallback(onError: PublishErrorCallback): this {
    return this.#set('onError', onError);
  }

  /** Time until it must be stored, retries included, in milliseconds. Default: the client's. */
  timeout(timeoutMs: number): this {
    return this.#set('timeoutMs', timeoutMs);
  }

  /** The request as it is now; what is missing is found when it is published. */
  build(): PublishRequest {
    return { eventName: '', ...this.#draft, topic: [...this.#topics] };
  }

  #set<Field extends keyof Draft>(field: Field, value: Draft[Field]): this {
    this.#draft[field] = value;
    return this;
  }
}

export function newPublish(): PublishBuilder {
  return new PublishBuilder();
}
