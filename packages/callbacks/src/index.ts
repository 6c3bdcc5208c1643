export type { CallbackEventName } from '@posthaste/contracts';
export { cancelCallback, replayCallback, retryNow } from './actions/callback-actions.js';
export type { Replay } from './actions/replay.js';
export { stepReplay } from './actions/replay-steps.js';
export {
  cancelReplay,
  createReplay,
  getReplay,
  listReplays,
} from './actions/replays.js';
export {
  newCompatibleStatus,
  parseCompatibleRequest,
  toCompatibleError,
  toCompatibleStatus,
} from './compatible-api.js';
export type { HttpClient, HttpRequest, Signer } from './delivery/attempt-request.js';
export type { Attempt, CallbackState, Delivery, Verdict } from './delivery/delivery.js';
export type { HttpOutcome } from './delivery/outcome.js';
export type { EndpointDirectory, EndpointSettings } from './dispatch/admission.js';
export { deliverySessionSettings } from './dispatch/claim-store.js';
export { Dispatcher, type DispatcherObserver } from './dispatch/dispatcher.js';
export { type DispatcherOptions, resolveDispatcherOptions } from './dispatch/dispatcher-options.js';
export { CachedEndpointDirectory } from './dispatch/endpoint-directory.js';
export { releaseHeldHeads } from './endpoints/endpoint-hold.js';
export type { EndpointInput, EndpointPatch } from './endpoints/endpoint-input.js';
export {
  disableEndpointAndEmit,
  type EndpointState,
  enableEndpoint,
  pauseEndpoint,
  resumeEndpoint,
} from './endpoints/endpoint-state.js';
export { removeCallbacks, removeSettings, removeWaiting } from './erasing/application-removal.js';
export { dropExpiredOf } from './erasing/application-retention.js';
export { allowDeliveries, awaitClaims, stopDeliveries } from './erasing/delivery-stop.js';
export { eraseByRequests, eraseByResponses } from './erasing/payload-erasing.js';
export {
  type CallbackEvent,
  type CallbackEventSink,
  type DisableRecorder,
  noEvents,
} from './events/callback-events.js';
export { type EventFormat, eventFormats } from './events/event-format.js';
export { type EventLog, EventLogSink } from './events/event-log-sink.js';
export type { SubscribedEvent } from './events/subscribed-event.js';
export type { RequestRules } from './field-checks.js';
export { callbackInvalid, type FieldFault, requestInvalid } from './field-faults.js';
export type { FilterFault } from './filters/filter-fault.js';
export type { FilterLimitOptions } from './filters/filter-limits.js';
export { type Acceptance, type AcceptedCallback, createAcceptance } from './intake/acceptance.js';
export { Intake } from './intake/intake.js';
export type { IntakeItem } from './intake/intake-store.js';
export {
  EventPreviews,
  type PlacedEvent,
  type PreviewedRequest,
  type PreviewSource,
  type PreviewTarget,
} from './listening/event-previews.js';
export { listApplicationNames } from './lookup/application-names.js';
export type {
  AttemptSummary,
  AttemptView,
  CallbackSummary,
  CallbackView,
  LeaseView,
} from './lookup/callback-view.js';
export { findCallback, listCallbacks } from './lookup/read-store.js';
export { type Mail, type Mailer, type MailLogger, sendDueMail } from './mail/mail-outbox.js';
export { forgetUnconfirmedRecipients, planMail } from './mail/mail-planner.js';
export {
  confirmByToken,
  confirmPath,
  findByConfirmToken,
  findByRefuseToken,
  refuseByToken,
  refusePath,
} from './mail/recipient-links.js';
export { RecipientRegistry } from './mail/recipient-registry.js';
export {
  /** @public */
  eraseMailOfApplication,
  type RecipientKey,
  type RecipientState,
} from './mail/recipient-store.js';
export {
  confirmMailRecipient,
  getMailRecipient,
  listMailRecipients,
  type MailRecipient,
  refuseMailRecipient,
} from './mail/recipients.js';
export { callbacksMigrations } from './migrations.js';
export type { Page } from './page.js';
export {
  pauseQueue,
  reconcileQueues,
  resumeQueue,
  setQueuePolicy,
  unblockQueue,
} from './queues/queue-control.js';
export type { QueueKey } from './queues/queue-key.js';
export { getQueue, listQueues, type QueueState, type QueueView } from './queues/queues.js';
export {
  type CallbackInput,
  type CallbackMethod,
  type CallbackRequest,
  callbackMethods,
} from './request/request.js';
export { ensurePartitions } from './retention/partitions.js';
export { dropExpired, forgetIdempotencyKeys } from './retention/retention.js';
export { type NamedPolicy, Policies } from './retry/policies.js';
export {
  type ExponentialInput,
  type PhaseInput,
  type PolicyInput,
  toPolicyInput,
  toRetryPolicy,
} from './retry/policy-input.js';
export type { RetryPolicy } from './retry/retry-policy.js';
export { createDeliverySigner } from './secrets/delivery-signer.js';
export { checkMasterKey, markMasterKey } from './secrets/master-key-mark.js';
export { createSecretBox, /** @public */ parseMasterKey } from './secrets/secret-box.js';
export { endpointSecretName } from './secrets/secret-key.js';
export { removeExpiredSecrets, type SecretView } from './secrets/secret-store.js';
export { type NewSecret, Secrets } from './secrets/secrets.js';
export { parseSecret, type SigningKey, sign } from './secrets/signature.js';
export {
  EventFanout,
  type EventSelector,
  type OnFilterFaults,
} from './subscriptions/event-fanout.js';
export {
  type ConsumerObserver,
  createSubscriptionConsumer,
  type EventBatch,
  type EventSource,
} from './subscriptions/subscription-consumer.js';
export { WantedEvents } from './subscriptions/wanted-events.js';
export {
  type Amounts,
  addAmounts,
  measureBacklog,
  measureCallbackBytes,
  measureEndpoints,
} from './usage/usage-measurement.js';
