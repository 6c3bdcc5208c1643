/** @public */

/** @public */
export { type ChannelPath, includesChannel, parseChannel } from '@posthaste/contracts';
export { type ApiKey, createApiKeyAuthorizer } from './auth/api-key.js';
export type {
  AdmittedOperation,
  AuthClient,
  AuthMode,
  Authorizer,
  AuthRequest,
  Identity,
  Operation,
} from './auth/authorizer.js';
/** @public */
export { createIamAuthorizer, type IamAuthorizerOptions, type IamKey } from './auth/iam.js';
/** @public */
export {
  type CognitoOptions,
  createCognitoAuthorizer,
  createOidcAuthorizer,
  type JwtOptions,
  type OidcOptions,
} from './auth/jwt.js';
/** @public */
export {
  type AuthorizerAnswer,
  type AuthorizerEvent,
  createWebhookAuthorizer,
  type WebhookAuthorizerOptions,
} from './auth/webhook-authorizer.js';
/** @public */
export {
  createWebhookCall,
  type WebhookCallOptions,
  type WebhookHttp,
  type WebhookHttpOutcome,
  type WebhookHttpRequest,
} from './auth/webhook-call.js';
export type {
  Broker,
  ChannelBatch,
  ChannelEvent,
  DeliveredBatch,
  MissedEvents,
  MissedRequest,
} from './hub/broker.js';
export { ChannelHistory, cutBatch, type HistoryBounds } from './hub/channel-history.js';
/** @public */
export { allowOwn, type ChannelRule } from './namespaces/channel-rules.js';
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
export {
  type ForwardTarget,
  type NamespaceSettings,
  namespaceNameFault,
  namespaceSettingFaults,
  parseNamespaceSettings,
  type SettingFault,
} from './namespaces/namespace-settings.js';
export type {
  PresenceChannelName,
  PresenceStore,
  PresentMember,
} from './presence/presence-store.js';
export type { Extension } from './protocol/extensions.js';
export type { Limits } from './protocol/limits.js';
export { TenantRates } from './protocol/rate-limit.js';
export { type ErrorEntry, RealtimeError } from './protocol/realtime-error.js';
export { createRealtimeServer, type RealtimeServer } from './realtime-server.js';
export type {
  ChannelCount,
  /** @public */ DeliveryChoice,
  RealmChannelCount,
  RealtimeCounts,
  RealtimeServerOptions,
} from './server-options.js';
export { type ServerSettings, serverSettingFaults } from './server-settings.js';
