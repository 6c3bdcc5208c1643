import type { ChannelPath } from '@posthaste/contracts';
import type { AuthMode, Identity } from '../auth/authorizer.js';

/** First segment of channels, with what holds for all channels below it. */
export interface Namespace {
  readonly name: string;
  /** Modes that may publish. Default: those of the server. */
  readonly publishAuthModes?: readonly AuthMode[] | undefined;
  /** Modes that may subscribe. Default: those of the server. */
  readonly subscribeAuthModes?: readonly AuthMode[] | undefined;
  /**
   * Pattern of the channels that each user may publish and subscribe to, such as `/user/{sub}/*`, as
   * in `allowOwn`. Users are the principals of OIDC, Cognito and webhook authorizers; API keys and IAM
   * keys, which backends have, may use all. Default: everybody may use all.
   */
  readonly ownChannels?: string | undefined;
  readonly handlers?: NamespaceHandlers | undefined;
  /** Largest event after `onPublish`, in bytes. Default 245,760 (240 KB). */
  readonly maxEventBytes?: number | undefined;
  /** JSON Schema that every published event must fit. Default: any JSON. */
  readonly schema?: object | boolean | undefined;
  /** Events of each channel that a subscriber can get after a reconnect. Default 100; 0 is none. */
  readonly history?: number | undefined;
  /**
   * True stores events in the broker before `publish_success`; false sends them to the sockets of
   * this node at once, and to other nodes as well as it can. Default true.
   */
  readonly durable?: boolean | undefined;
}

/** Functions that decide about events and subscribers. Each has 5 s. */
export interface NamespaceHandlers {
  /**
   * Gets the events of a publish, and returns those to broadcast: one whose id is left out is
   * dropped, one with `error` is reported as failed. `null` and `[]` broadcast nothing. A throw
   * rejects the batch.
   */
  readonly onPublish?:
    | ((context: PublishContext) => PublishReturn | Promise<PublishReturn>)
    | undefined;
  /** Refuses a subscriber by `context.unauthorized()` or a throw. */
  readonly onSubscribe?: ((context: SubscribeContext) => void | Promise<void>) | undefined;
}

export type PublishReturn = readonly HandledEvent[] | null;

/** Event that a publisher sent. */
export interface PublishedEvent {
  readonly id: string;
  /** Parsed JSON. */
  readonly payload: unknown;
}

/** Event as a handler returns it. */
export interface HandledEvent {
  readonly id: string;
  readonly payload?: unknown;
  /** Reason for which the event is in `failed`. */
  readonly error?: string | undefined;
}

/** Facts that every handler gets. */
export interface HandlerContext {
  readonly identity: Identity;
  readonly request: { readonly headers: Readonly<Record<string, string>> };
  readonly info: {
    readonly channel: Pick<ChannelPath, 'path' | 'segments'>;
    readonly channelNamespace: { readonly name: string };
    readonly operation: 'PUBLISH' | 'SUBSCRIBE';
  };
  /** Throws the refusal that the client sees as `Forbidden`, or as `Unauthorized` with `strictAws`. */
  unauthorized(): never;
}

export interface PublishContext extends HandlerContext {
  readonly events: readonly PublishedEvent[];
}

export interface SubscribeContext extends HandlerContext {}

/** Namespaces of a server. */
export interface NamespaceDirectory {
  /** Returns the namespace that a name means in a realm; undefined if there is none. */
  find(realm: string, name: string): Namespace | undefined;
}
