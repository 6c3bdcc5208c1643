export {
  type Acceptance,
  type AcceptanceDeps,
  type AcceptanceItem,
  type AcceptedCallback,
  createAcceptance,
} from './acceptance.js';
export type { EndpointDirectory, EndpointSettings } from './admission.js';
export type { AttemptSettings, HttpClient, HttpRequest, Signer } from './attempt.js';
export {
  type CallbackEvent,
  type CallbackEventName,
  type CallbackEventSink,
  callbackEventNames,
  callbackEventTopic,
  noEvents,
} from './callback-events.js';
export type { CallbackFilter } from './callback-scan.js';
export type {
  AttemptSummary,
  AttemptView,
  CallbackSummary,
  CallbackView,
  Hold,
  LeaseView,
} from './callback-view.js';
export { deliverySessionSettings } from './claim-store.js';
export {
  newCompatibleStatus,
  parseCompatibleRequest,
  toCompatibleError,
  toCompatibleStatus,
} from './compatible-api.js';
export { type CancelOutcome, cancelCallback, replayCallback, retryNow } from './control.js';
export type {
  Attempt,
  CallbackState,
  Delivery,
  DeliveryRequest,
  DeliveryResult,
  Ending,
  FailureReason,
  Verdict,
} from './delivery.js';
export { createDeliverySigner } from './delivery-signer.js';
export {
  Dispatcher,
  type DispatcherDeps,
  type DispatcherObserver,
  type DispatcherOptions,
} from './dispatcher.js';
export { CachedEndpointDirectory } from './endpoint-directory.js';
export { releaseHeldHeads } from './endpoint-hold.js';
export type { EndpointState } from './endpoint-id.js';
export type { EndpointInput, EndpointPatch } from './endpoint-input.js';
export {
  disableEndpoint,
  disableEndpointTelling,
  enableEndpoint,
  pauseEndpoint,
  resumeEndpoint,
} from './endpoint-state.js';
export {
  type EventChoice,
  EventFanout,
  type EventFanoutOptions,
  testEventName,
} from './event-fanout.js';
export { EventFilters } from './event-filter.js';
export { EventInterest, type EventInterestOptions } from './event-interest.js';
export { EventLogSink, type EventLogSinkOptions, type TellingLog } from './event-log-sink.js';
export type { Accepted } from './group-commit.js';
export { Intake, type IntakeOptions } from './intake.js';
export type { IdempotencyClaim, IntakeItem } from './intake-store.js';
export type { HttpOutcome } from './judgement.js';
export { type Mailer, type MailLogger, sendDueMail } from './mail-outbox.js';
export { callbacksMigrations } from './migrations.js';
export type { OriginLimits } from './origin-gate.js';
export type { Page, PageRequest } from './page.js';
export { ensurePartitions } from './partitions.js';
export { type NamedPolicy, Policies } from './policies.js';
export {
  type ExponentialInput,
  type PhaseInput,
  type PhasesInput,
  type PolicyInput,
  toPolicyInput,
  toRetryPolicy,
} from './policy-input.js';
export {
  pauseQueue,
  reconcileQueues,
  resumeQueue,
  setQueuePolicy,
  unblockQueue,
} from './queue-control.js';
export {
  getQueue,
  listQueues,
  type OnFailure,
  type QueueFilter,
  type QueueHead,
  type QueueKey,
  type QueueState,
  type QueueView,
} from './queues.js';
export { findCallback, listCallbacks } from './read-store.js';
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
} from './replays.js';
export {
  type CallbackInput,
  type CallbackMethod,
  type CallbackRequest,
  callbackInvalid,
  callbackMethods,
  type FieldFault,
  type RequestRules,
  requestInvalid,
} from './request.js';
export { createResultCompany, type ResultCompany } from './result-company.js';
export { dropExpired, forgetIdempotencyKeys } from './retention.js';
export type { ExponentialPolicy, PhasesPolicy, RetryPhase, RetryPolicy } from './retry-policy.js';
export { createSecretBox, parseMasterKey, type SecretBox } from './secret-box.js';
export { removeExpiredSecrets } from './secret-store.js';
export type { SecretVersion, SecretView } from './secret-view.js';
export {
  endpointSecretName,
  type NewSecret,
  type SecretRotation,
  type SecretSource,
  Secrets,
} from './secrets.js';
export type { SecretKind } from './signature.js';
export {
  generateSecret,
  parseSecret,
  type SignatureInput,
  type SigningKey,
  sign,
} from './signature.js';
export type { EndpointLimits, SlotLimits } from './slots.js';
export { type SubscribedEvent, toEventBody } from './subscribed-event.js';
export {
  type ConsumerObserver,
  createSubscriptionConsumer,
  type EventBatch,
  type EventSource,
  type SubscriptionConsumer,
  type SubscriptionConsumerOptions,
} from './subscription-consumer.js';
export type { TraceHeaders } from './trace-headers.js';
