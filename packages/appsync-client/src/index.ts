export {
  /** @public */ AppSyncError,
  /** @public */ type AppSyncReason,
} from './appsync-error.js';
export type {
  /** @public */ AuthorizationRequest,
  /** @public */ Authorize,
} from './authorize.js';
export {
  /** @public */ type AuthorizationSource,
  /** @public */ connect,
  /** @public */ createWebSocketClient,
  /** @public */ type WebSocketClient,
  /** @public */ type WebSocketClientOptions,
} from './client.js';
export type {
  /** @public */ ClientOptions,
  /** @public */ ClientState,
  /** @public */ ReconnectOptions,
} from './client-options.js';
export type {
  /** @public */ Clock,
} from './clock.js';
export {
  /** @public */ type Config,
  /** @public */ type ConfigOptions,
  /** @public */ createApiKeyConfig,
  /** @public */ createCognitoConfig,
  /** @public */ createConfig,
  /** @public */ createIamConfig,
  /** @public */ createLambdaConfig,
  /** @public */ createOidcConfig,
  /** @public */ type IamCredentials,
  /** @public */ type TokenSource,
} from './config.js';
export {
  /** @public */ type Connection,
  /** @public */ type DialOptions,
  /** @public */ dialWebSocket,
  /** @public */ type WebSocketConstructor,
} from './dial.js';
export type {
  /** @public */ OverflowPolicy,
} from './item-queue.js';
export type {
  /** @public */ Redial,
} from './link.js';
export {
  /** @public */ type Authorization,
  /** @public */ ConnectionAckType,
  /** @public */ ConnectionErrType,
  /** @public */ ConnectionInitType,
  /** @public */ ErrType,
  /** @public */ type Extension,
  /** @public */ KeepAliveType,
  /** @public */ type MessageError,
  /** @public */ type PresenceMember,
  /** @public */ PublishErrType,
  /** @public */ PublishSuccessType,
  /** @public */ PublishType,
  /** @public */ type ReceiveMessage,
  /** @public */ type ReceiveMessageEventID,
  /** @public */ type ReceiveMsgType,
  /** @public */ type SendMessage,
  /** @public */ type SendMsgType,
  /** @public */ SubscribeErrType,
  /** @public */ SubscribeSuccessType,
  /** @public */ SubscribeType,
  /** @public */ SubscriptionBroadcastErrorType,
  /** @public */ SubscriptionDataType,
  /** @public */ type SubscriptionMessage,
  /** @public */ UnsubscribeErrType,
  /** @public */ UnsubscribeSuccessType,
  /** @public */ UnsubscribeType,
} from './protocol.js';
export {
  /** @public */ PartialPublishError,
  /** @public */ type PublishOptions,
  /** @public */ type PublishResult,
} from './publish.js';
export type {
  /** @public */ SigningKeys,
} from './sigv4.js';
export type {
  /** @public */ ParsedEvent,
  /** @public */ SubscribeOptions,
  /** @public */ Subscription,
} from './subscription.js';
export type {
  /** @public */ TypedChannel,
  /** @public */ TypedSubscription,
  /** @public */ Validator,
  /** @public */ ValidatorResult,
} from './typed-channel.js';
