export {
  type Acceptance,
  type AcceptanceDeps,
  type AcceptedCallback,
  createAcceptance,
} from './acceptance.js';
export type { AttemptSettings, HttpClient, HttpRequest, Signer } from './attempt.js';
export type { CallbackFilter } from './callback-scan.js';
export type {
  AttemptSummary,
  AttemptView,
  CallbackSummary,
  CallbackView,
  Hold,
  LeaseView,
} from './callback-view.js';
export {
  newCompatibleStatus,
  parseCompatibleRequest,
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
  type EndpointDirectory,
  type EndpointSettings,
} from './dispatcher.js';
export { CachedEndpointDirectory } from './endpoint-directory.js';
export { releaseHeldHeads } from './endpoint-hold.js';
export { type Accepted, Intake, type IntakeOptions } from './intake.js';
export type { IdempotencyClaim } from './intake-store.js';
export type { HttpOutcome } from './judgement.js';
export { type Mailer, type MailLogger, sendDueMail } from './mail-outbox.js';
export { callbacksMigrations } from './migrations.js';
export type { OriginLimits } from './origin-gate.js';
export { ensurePartitions } from './partitions.js';
export { reconcileQueues } from './queue-control.js';
export { findCallback, listCallbacks } from './read-store.js';
export { stepReplay } from './replays.js';
export {
  type CallbackInput,
  type CallbackMethod,
  type CallbackRequest,
  callbackMethods,
  type FieldFault,
  type RequestRules,
} from './request.js';
export {
  type CallbackEvent,
  type CallbackEventSink,
  createResultCompany,
  noEvents,
} from './result-company.js';
export { dropExpired, forgetIdempotencyKeys } from './retention.js';
export type { ExponentialPolicy, PhasesPolicy, RetryPhase, RetryPolicy } from './retry-policy.js';
export { createSecretBox, parseMasterKey, type SecretBox } from './secret-box.js';
export { Secrets } from './secrets.js';
export type { EndpointLimits, SlotLimits } from './slots.js';
