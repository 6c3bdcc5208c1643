export type { CallbackEventName } from '@posthaste/contracts';
export {
  type CancelOutcome,
  cancelCallback,
  replayCallback,
  retryNow,
} from './actions/callback-actions.js';
export {
  cancelReplay,
  createReplay,
  getReplay,
  listReplays,
  type Replay,
  type ReplayableEnding,
  type ReplayFilter,
  type ReplayOptions,
  stepReplay,
} from './actions/replays.js';
export {
  newCompatibleStatus,
  parseCompatibleRequest,
  toCompatibleError,
  toCompatibleStatus,
} from './compatible-api.js';
export type {
  AttemptSettings,
  HttpClient,
  HttpRequest,
  Signer,
} from './delivery/attempt-request.js';
export type {
  Attempt,
  CallbackState,
  Delivery,
  DeliveryRequest,
  DeliveryResult,
  Ending,
  FailureReason,
  Hold,
  Verdict,
} from './delivery/delivery.js';
export type { HttpOutcome } from './delivery/outcome.js';
export type { EndpointDirectory, EndpointSettings } from './dispatch/admission.js';
export { deliverySessionSettings } from './dispatch/claim-store.js';
export { Dispatcher, type DispatcherDeps, type DispatcherObserver } from './dispatch/dispatcher.js';
export {
  type DispatcherOptions,
  type OriginOptions,
  type ResolvedDispatcherOptions,
  resolveDispatcherOptions,
  type SlotOptions,
} from './dispatch/dispatcher-options.js';
export { CachedEndpointDirectory } from './dispatch/endpoint-directory.js';
export type { OriginLimits } from './dispatch/origin-limiter.js';
export type { EndpointLimits, SlotLimits } from './dispatch/slots.js';
export { releaseHeldHeads } from './endpoints/endpoint-hold.js';
export type { EndpointInput, EndpointPatch } from './endpoints/endpoint-input.js';
export {
  disableEndpoint,
  disableEndpointAndEmit,
  type EndpointState,
  enableEndpoint,
  pauseEndpoint,
  resumeEndpoint,
} from './endpoints/endpoint-state.js';
export {
  type CallbackEvent,
  type CallbackEventSink,
  callbackEventTopic,
  noEvents,
} from './events/callback-events.js';
export { type EventLog, EventLogSink, type EventLogSinkOptions } from './events/event-log-sink.js';
export { type SubscribedEvent, toEventBody } from './events/subscribed-event.js';
export type { RequestRules } from './field-checks.js';
export { callbackInvalid, type FieldFault, requestInvalid } from './field-faults.js';
export {
  type Acceptance,
  type AcceptanceDeps,
  type AcceptanceItem,
  type AcceptedCallback,
  createAcceptance,
} from './intake/acceptance.js';
export type { Accepted } from './intake/group-commit.js';
export { Intake, type IntakeOptions } from './intake/intake.js';
export type { IntakeItem } from './intake/intake-store.js';
export type { CallbackFilter } from './lookup/callback-scan.js';
export type {
  AttemptSummary,
  AttemptView,
  CallbackSummary,
  CallbackView,
  LeaseView,
} from './lookup/callback-view.js';
export { findCallback, listCallbacks } from './lookup/read-store.js';
export { type Mailer, type MailLogger, sendDueMail } from './mail/mail-outbox.js';
export { callbacksMigrations } from './migrations.js';
export type { Page, PageRequest } from './page.js';
export {
  pauseQueue,
  reconcileQueues,
  resumeQueue,
  setQueuePolicy,
  unblockQueue,
} from './queues/queue-control.js';
export type { QueueKey } from './queues/queue-key.js';
export {
  getQueue,
  listQueues,
  type OnFailure,
  type QueueFilter,
  type QueueHead,
  type QueueState,
  type QueueView,
} from './queues/queues.js';
export {
  type CallbackInput,
  type CallbackMethod,
  type CallbackRequest,
  callbackMethods,
} from './request/request.js';
export type { TraceHeaders } from './request/trace-headers.js';
export { ensurePartitions } from './retention/partitions.js';
export { dropExpired, forgetIdempotencyKeys } from './retention/retention.js';
export { type NamedPolicy, Policies } from './retry/policies.js';
export {
  type ExponentialInput,
  type PhaseInput,
  type PhasesInput,
  type PolicyInput,
  toPolicyInput,
  toRetryPolicy,
} from './retry/policy-input.js';
export type {
  ExponentialPolicy,
  PhasesPolicy,
  RetryPhase,
  RetryPolicy,
} from './retry/retry-policy.js';
export { createDeliverySigner } from './secrets/delivery-signer.js';
export { createSecretBox, parseMasterKey, type SecretBox } from './secrets/secret-box.js';
export { endpointSecretName } from './secrets/secret-key.js';
export {
  removeExpiredSecrets,
  type SecretVersion,
  type SecretView,
} from './secrets/secret-store.js';
export {
  type NewSecret,
  type SecretRotation,
  type SecretSource,
  Secrets,
} from './secrets/secrets.js';
export type { SecretKind } from './secrets/signature.js';
export {
  generateSecret,
  parseSecret,
  type SignatureInput,
  type SigningKey,
  sign,
} from './secrets/signature.js';
export {
  EventFanout,
  type EventFanoutOptions,
  type EventSelector,
  testEventName,
} from './subscriptions/event-fanout.js';
export { EventFilters } from './subscriptions/event-filter.js';
export {
  type ConsumerObserver,
  createSubscriptionConsumer,
  type EventBatch,
  type EventSource,
  type SubscriptionConsumer,
  type SubscriptionConsumerOptions,
} from './subscriptions/subscription-consumer.js';
export { WantedEvents, type WantedEventsOptions } from './subscriptions/wanted-events.js';
