import { type EventFormat, eventFormats, isEventFormat } from '../events/event-format.js';
import {
  checkEmail,
  checkName,
  checkTimeout,
  parseUrl,
  type RequestRules,
} from '../field-checks.js';
import { type FieldFault, requestInvalid } from '../field-faults.js';
import { headerFaults } from '../request/header-rules.js';
import { type PolicyInput, toPolicyInput, toRetryPolicy } from '../retry/policy-input.js';
import { defaultEndpointPolicy, type RetryPolicy } from '../retry/retry-policy.js';
import { type EventOrder, isEventOrder } from './event-order.js';

/** Settings of a new endpoint. What is left out or `null` has its default. */
export interface EndpointInput extends EndpointPatch {
  /** Application it belongs to. Cannot be changed later. */
  readonly application: string;
  /** Unique in its application. */
  readonly name: string;
  readonly url: string;
}

/** Change of an endpoint. What is left out stays; `null` sets the default again. */
export interface EndpointPatch {
  readonly name?: string | undefined;
  readonly url?: string | undefined;
  /** Headers of every request, names in lower case. Those of a callback override them. */
  readonly headers?: Readonly<Record<string, string>> | null | undefined;
  /** Retry policy, or the name of a stored one. Default: exponential, about 16 hours. */
  readonly policy?: PolicyInput | string | null | undefined;
  /** Longest time of one attempt, in ms. Default: the one of the installation. */
  readonly timeoutMs?: number | null | undefined;
  /** Most attempts per second in each worker process, 0.01 to 10,000. Default: no limit. */
  readonly ratePerSecond?: number | null | undefined;
  /** Most attempts at once in each worker process, 1 to 10,000. Default: no limit. */
  readonly maxConcurrency?: number | null | undefined;
  /** Order in which its events are delivered. Default: `none`. */
  readonly order?: EventOrder | null | undefined;
  /** Form in which it gets events. Default: `envelope`. */
  readonly eventFormat?: EventFormat | null | undefined;
  /** Address for mails about failed callbacks and a disabled endpoint. Default: none. */
  readonly notificationEmail?: string | null | undefined;
  /** True if `notificationEmail` needs no confirmation of the recipient. Default false. */
  readonly isRecipientTrusted?: boolean | undefined;
}

/** Settings of an endpoint, complete and checked. */
export interface EndpointFields {
  readonly application: string;
  readonly name: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Its own policy, or the name of a stored one. */
  readonly policy: RetryPolicy | string;
  readonly timeoutMs: number;
  readonly ratePerSecond: number | undefined;
  readonly maxConcurrency: number | undefined;
  readonly order: EventOrder;
  readonly eventFormat: EventFormat;
  readonly notificationEmail: string | undefined;
}

const minRate = 0.01;
const maxRate = 10_000;
const maxConcurrency = 10_000;

/**
 * Returns the settings of a new endpoint, with all defaults.
 * @throws PlatformError `REQUEST_INVALID`, with all faults as `details`
 */
export function toEndpointFields(input: EndpointInput, rules: RequestRules): EndpointFields {
  const start: EndpointFields = {
    application: input.application,
    name: input.name,
    url: input.url,
    headers: {},
    policy: defaultEndpointPolicy,
    timeoutMs: rules.defaultTimeoutMs,
    ratePerSecond: undefined,
    maxConcurrency: undefined,
    order: 'none',
    eventFormat: 'envelope',
    notificationEmail: undefined,
  };
  return patchEndpointFields(start, input, rules);
}

/**
 * Returns the settings of an endpoint after a change.
 * @throws PlatformError `REQUEST_INVALID`, with all faults as `details`
 */
export function patchEndpointFields(
  before: EndpointFields,
  patch: EndpointPatch,
  rules: RequestRules,
): EndpointFields {
  const headers = patched(patch.headers, before.headers, {});
  const fields: EndpointFields = {
    application: before.application,
    name: patch.name ?? before.name,
    url: patch.url ?? before.url,
    headers,
    policy: patchedPolicy(patch.policy, before.policy, rules),
    timeoutMs: patched(patch.timeoutMs, before.timeoutMs, rules.defaultTimeoutMs),
    ratePerSecond: patched(patch.ratePerSecond, before.ratePerSecond, undefined),
    maxConcurrency: patched(patch.maxConcurrency, before.maxConcurrency, undefined),
    order: patched(patch.order, before.order, 'none'),
    eventFormat: patched(patch.eventFormat, before.eventFormat, 'envelope'),
    notificationEmail: patched(patch.notificationEmail, before.notificationEmail, undefined),
  };
  const faults = endpointFaults(fields, rules);
  if (faults.length > 0) throw requestInvalid(faults);
  // In lower case, so that a header of a callback overrides the one here in whatever case it is.
  const lower = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
  return { ...fields, headers: Object.fromEntries(lower) };
}

/** Converts the policy of an endpoint into the form that the API takes and shows. */
export function toEndpointPolicyInput(policy: RetryPolicy | string): PolicyInput | string {
  return typeof policy === 'string' ? policy : toPolicyInput(policy);
}

function patched<T>(change: T | null | undefined, before: T, defaultValue: T): T {
  if (change === undefined) return before;
  return change === null ? defaultValue : change;
}

function patchedPolicy(
  change: PolicyInput | string | null | undefined,
  before: RetryPolicy | string,
  { maxAttempts }: RequestRules,
): RetryPolicy | string {
  if (change === undefined) return before;
  if (change === null) return defaultEndpointPolicy;
  return typeof change === 'string' ? change : toRetryPolicy(change, maxAttempts);
}

function endpointFaults(fields: EndpointFields, rules: RequestRules): FieldFault[] {
  const faults: FieldFault[] = [];
  checkName('application', fields.application, faults);
  checkName('name', fields.name, faults);
  if (fields.name === '') faults.push({ field: 'name', message: 'is empty' });
  parseUrl(fields.url, rules, faults);
  faults.push(...headerFaults(fields.headers));
  if (typeof fields.policy === 'string') checkName('policy', fields.policy, faults);
  checkTimeout(fields.timeoutMs, rules, faults);
  checkEmail(fields.notificationEmail, faults);
  const { ratePerSecond: rate, maxConcurrency: concurrency, order } = fields;
  if (rate !== undefined && !(rate >= minRate && rate <= maxRate)) {
    faults.push({ field: 'ratePerSecond', message: `must be ${minRate} to ${maxRate}` });
  }
  const whole = Number.isInteger(concurrency ?? 1);
  if (concurrency !== undefined && !(whole && concurrency >= 1 && concurrency <= maxConcurrency)) {
    faults.push({ field: 'maxConcurrency', message: `must be 1 to ${maxConcurrency}` });
  }
  if (!isEventOrder(order)) {
    const message = 'must be none, key, namespace, userId or a JSON Pointer into the payload';
    faults.push({ field: 'order', message });
  }
  if (!isEventFormat(fields.eventFormat)) {
    faults.push({ field: 'eventFormat', message: `must be one of ${eventFormats.join(', ')}` });
  }
  return faults;
}
