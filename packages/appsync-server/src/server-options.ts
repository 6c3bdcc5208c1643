import type { IncomingMessage } from 'node:http';
import type { Registry } from 'prom-client';
import type { AdmittedOperation, AuthMode, Authorizer, Identity } from './auth/authorizer.js';
import type { Broker } from './hub/broker.js';
import type { Namespace, NamespaceDirectory } from './namespaces/namespace.js';
import type { PresenceStore } from './presence/presence-store.js';
import type { Limits } from './protocol/limits.js';

/** Options of `createRealtimeServer`. */
export interface RealtimeServerOptions {
  /** Checks of credentials. The first one that accepts the headers decides. */
  readonly authorizers: readonly Authorizer[];
  /** Namespaces of all realms, or a directory that finds them. */
  readonly namespaces: readonly Namespace[] | NamespaceDirectory;
  /** Modes that may connect. Default: those of all authorizers. */
  readonly connectionAuthModes?: readonly AuthMode[] | undefined;
  /** Modes that may publish where the namespace says nothing. Default: those of all authorizers. */
  readonly defaultPublishAuthModes?: readonly AuthMode[] | undefined;
  /** Modes that may subscribe where the namespace says nothing. Default: those of all authorizers. */
  readonly defaultSubscribeAuthModes?: readonly AuthMode[] | undefined;
  readonly limits?: Partial<Limits> | undefined;
  /**
   * Called before each connect, subscribe and publish that is allowed. Throws a RealtimeError to refuse
   * it, such as `LimitExceededError`. Default: refuses nothing.
   */
  readonly admit?: ((operation: AdmittedOperation) => void) | undefined;
  /**
   * Returns the address of a client, for authorizers that limit guesses. Default: they get none.
   */
  readonly addressOf?: ((request: IncomingMessage) => string) | undefined;
  /** Default: one in memory, for one node. A broker that is given is started and not closed. */
  readonly broker?: Broker | undefined;
  /** Members of channels. Default: in memory, for one node. One that is given is not closed. */
  readonly presence?: PresenceStore | undefined;
  /** Time after which a member whose last connection has ended has left, in ms. Default 5,000. */
  readonly presenceGraceMs?: number | undefined;
  /** Path of `POST`; WebSocket has `/realtime` behind it. Default `/event`. */
  readonly path?: string | undefined;
  /** Values of `Origin` that may connect and publish. Requests without one always may. Default: any. */
  readonly allowedOrigins?: readonly string[] | undefined;
  /** Time between two `ka` of a connection, and between two pings, in ms. Default 60,000. */
  readonly keepAliveMs?: number | undefined;
  /**
   * True gives refusals of handlers the type `Unauthorized`, and those of subscribers without rights
   * `UnauthorizedException`, as AWS does. Default: `Forbidden`, by which Amplify up to 6.20.0 does not
   * close the connection and come back for ever.
   */
  readonly strictAws?: boolean | undefined;
  /** Longest time of a handler, in ms. Default 5,000. */
  readonly handlerTimeoutMs?: number | undefined;
  /** Gets the metrics `posthaste_realtime_…`. One registry serves one server. Default: none. */
  readonly registry?: Registry | undefined;
  /** Gets faults of brokers, authorizers and handlers, which clients do not see. Default: nobody. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** Choice among the subscriptions to a channel. Default: all. */
export interface DeliveryChoice {
  /**
   * Least number of segments before the `*` of a wildcard subscription; `Infinity` leaves them all out.
   * Default 1.
   */
  readonly wildcardDepth?: number | undefined;
  /** True for principals that may get the events. Default: all. */
  readonly isFor?: ((identity: Identity) => boolean) | undefined;
}

/** Numbers of a server since its start, or at present. */
export interface RealtimeCounts {
  /** Open connections at present. */
  readonly connections: number;
  /** Subscriptions at present. */
  readonly subscriptions: number;
  /** Data frames that were queued for subscribers. */
  readonly messages: number;
  /** Connections that were closed because they read too slowly. */
  readonly slowConsumers: number;
  /** Bytes that were written to WebSockets. */
  readonly bytesOut: number;
}

/** Path with the number of its subscriptions on this node. */
export interface ChannelCount {
  readonly channel: string;
  readonly subscribers: number;
}

/** Path of a realm with the number of its subscriptions on this node. */
export interface RealmChannelCount extends ChannelCount {
  readonly realm: string;
}
