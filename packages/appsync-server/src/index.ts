/** @public */
export { type ApiKey, createApiKeyAuthorizer } from './auth/api-key.js';
export type { AuthMode, Authorizer, AuthRequest, Identity, Operation } from './auth/authorizer.js';
export type {
  Broker,
  ChannelBatch,
  ChannelEvent,
  DeliveredBatch,
  MissedEvents,
  MissedRequest,
} from './hub/broker.js';
export type { ChannelCount } from './hub/hub.js';
/** @public */
export { eventSchemaFault } from './namespaces/event-schema.js';
export type {
  HandledEvent,
  HandlerContext,
  Namespace,
  NamespaceDirectory,
  NamespaceHandlers,
  PublishContext,
  PublishedEvent,
  PublishReturn,
  SubscribeContext,
} from './namespaces/namespace.js';
/** @public */
export { type ChannelPath, includesChannel, parseChannel } from './protocol/channel-path.js';
export type { Limits } from './protocol/limits.js';
export { type ErrorEntry, RealtimeError } from './protocol/realtime-error.js';
export { createRealtimeServer, type RealtimeServer } from './realtime-server.js';
export type { RealtimeCounts, RealtimeServerOptions } from './server-options.js';
