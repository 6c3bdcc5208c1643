import { headerFault } from '../request/header-rules.js';
import {
  checkEmail,
  checkName,
  checkTimeout,
  type FieldFault,
  parseUrl,
  type RequestRules,
  requestInvalid,
} from '../request/request.js';
import { type PolicyInput, toPolicyInput, toRetryPolicy } from '../retry/policy-input.js';
import { defaultEndpointPolicy, type RetryPolicy } from '../retry/retry-policy.js';
import { type EventOrder, isEventOrder } from './event-order.js';

/** What is given when an endpoint is made. */
export interface EndpointInput extends EndpointPatch {
  /** Whose it is. Default: the application with the empty name. Cannot be changed later. */
  readonly application?: string | undefined;
  /** Unique in its application. */
  readonly name: string;
  readonly url: string;
}

/** What is changed of an endpoint; what is left out stays. `null` takes back what was set. */
export interface EndpointPatch {
  readonly name?: string | undefined;
  readonly url?: string | undefined;
  /** Sent with every request, names in lower case. The ones of a callback win over them. */
  readonly headers?: Readonly<Record<string, string>> | null | undefined;
  /** A policy or the name of one. Default: exponential, about 16 hours. */
  readonly policy?: PolicyInput | string | null | undefined;
  /** Total time of one attempt, in ms. */
  readonly timeoutMs?: number | null | undefined;
  /** Attempts per second at most, 0.01 to 10,000, in each worker process. Default: no limit. */
  readonly ratePerSecond?: number | null | undefined;
  /** Attempts under way at once at most, 1 to 10,000, in each worker process. Default: no limit. */
  readonly maxConcurrency?: number | null | undefined;
  /** What its events are ordered by. Default: `none`. */
  readonly order?: EventOrder | null | undefined;
  /** Told when a callback fails for good, and when the endpoint is disabled. */
  readonly notificationEmail?: string | null | undefined;
}

/** The settings of an endpoint, complete and checked. */
export interface EndpointFields {
  readonly application: string;
  readonly name: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** A policy of its own, or the name of one. */
  readonly policy: RetryPolicy | string;
  readonly timeoutMs: number;
  readonly ratePerSecond: number | undefined;
  readonly maxConcurrency: number | undefined;
  readonly order: EventOrder;
  readonly notificationEmail: string | undefined;
}

const minRate = 0.01;
const maxRate = 10_000;
const maxConcurrency = 10_000;

/**
 * The settings of a new endpoint.
 * @throws PlatformError `REQUEST_INVALID`, with all faults as `details`
 */
export function toEndpointFields(input: EndpointInput, rules: RequestRules): EndpointFields {
  const start: EndpointFields = {
    application: input.application ?? '',
    name: input.name,
    url: input.url,
    headers: {},
    policy: defaultEndpointPolicy,
    timeoutMs: rules.defaultTimeoutMs,
    ratePerSecond: undefined,
    maxConcurrency: undefined,
    order: 'none',
    notificationEmail: undefined,
  };
  return patchEndpointFields(start, input, rules);
}

/**
 * The settings of an endpoint after a change.
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
    policy: patchedPolicy(patch.policy, before.policy),
    timeoutMs: patched(patch.timeoutMs, before.timeoutMs, rules.defaultTimeoutMs),
    ratePerSecond: patched(patch.ratePerSecond, before.ratePerSecond, undefined),
    maxConcurrency: patched(patch.maxConcurrency, before.maxConcurrency, undefined),
    order: patched(patch.order, before.order, 'none'),
    notificationEmail: patched(patch.notificationEmail, before.notificationEmail, undefined),
  };
  const faults = endpointFaults(fields, rules);
  if (faults.length > 0) throw requestInvalid(faults);
  // Lower case, so that they meet those of a callback, whatever the case of either.
  const lower = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
  return { ...fields, headers: Object.fromEntries(lower) };
}

/** A policy of endpoints as callers see it. */
export function toEndpointPolicyInput(policy: RetryPolicy | string): PolicyInput | string {
  return typeof policy === 'string' ? policy : toPolicyInput(policy);
}

function patched<T>(change: T | null | undefined, before: T, standard: T): T {
  if (change === undefined) return before;
  return change === null ? standard : change;
}

function patchedPolicy(
  change: PolicyInput | string | null | undefined,
  before: RetryPolicy | string,
): RetryPolicy | string {
  if (change === undefined) return before;
  if (change === null) return defaultEndpointPolicy;
  return typeof change === 'string' ? change : toRetryPolicy(change);
}

function endpointFaults(fields: EndpointFields, rules: RequestRules): FieldFault[] {
  const faults: FieldFault[] = [];
  checkName('application', fields.application, faults);
  checkName('name', fields.name, faults);
  if (fields.name === '') faults.push({ field: 'name', message: 'is empty' });
  parseUrl(fields.url, rules, faults);
  faults.push(...headerFault(fields.headers));
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
  return faults;
}
