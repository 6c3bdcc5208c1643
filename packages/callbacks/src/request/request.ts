import {
  checkEmail,
  checkMoment,
  checkName,
  checkTimeout,
  parseUrl,
  type RequestRules,
} from '../field-checks.js';
import { callbackInvalid, type FieldFault } from '../field-faults.js';
import { attemptFaults, policyFaults } from '../retry/policy-faults.js';
import { leftOutPolicy, type RetryPolicy } from '../retry/retry-policy.js';
import { headerFaults } from './header-rules.js';
import { type TraceHeaders, withTrace } from './trace-headers.js';

/** Callback as it is stored: complete and checked, with every default filled in. */
export interface CallbackRequest {
  /** Its application, to which queues, secrets and Idempotency-Keys belong. May be empty. */
  readonly application: string;
  /** Queue in which it has its order; absent: it has no order with anything. */
  readonly queue: string | undefined;
  readonly endpointId: string | undefined;
  readonly url: string;
  /** Scheme, host and port of the URL, as `URL.origin` gives it. */
  readonly origin: string;
  /** Empty when a client of the compatible API gave none: sent as GET. */
  readonly method: CallbackMethod | '';
  /** Headers that were given, and those of its trace. */
  readonly headers: Readonly<Record<string, string>> | undefined;
  /** Sent with POST, PUT and PATCH only. An absent body differs from an empty one. */
  readonly body: Buffer | undefined;
  readonly policy: RetryPolicy;
  readonly timeoutMs: number;
  /** Name of the application's secret that signs it. */
  readonly secret: string | undefined;
  readonly notificationEmail: string | undefined;
  readonly expiresAt: Date | undefined;
  readonly deliverAfter: Date | undefined;
  /** Above 0 if a delivery, or an event about another callback, led to it: see loop-guard.ts. */
  readonly echo: number;
}

/** HTTP methods of callbacks. */
export const callbackMethods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD'] as const;
/** HTTP method of a callback. */
export type CallbackMethod = (typeof callbackMethods)[number];

/** Callback as a caller gives it. Only `url` is required. */
export interface CallbackInput {
  readonly url: string;
  /** Default POST. */
  readonly method?: string | undefined;
  readonly application?: string | undefined;
  readonly queue?: string | undefined;
  readonly endpointId?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: Buffer | undefined;
  readonly policy?: RetryPolicy | undefined;
  readonly timeoutMs?: number | undefined;
  readonly secret?: string | undefined;
  readonly notificationEmail?: string | undefined;
  /** True if `notificationEmail` needs no confirmation of the recipient. Default false. */
  readonly isRecipientTrusted?: boolean | undefined;
  readonly expiresAt?: Date | undefined;
  readonly deliverAfter?: Date | undefined;
  /** Trace that its attempts continue. Default: a trace of its own. */
  readonly trace?: TraceHeaders | undefined;
  /** Number of deliveries that led to it: see loop-guard.ts. Default 0. */
  readonly echo?: number | undefined;
}

/**
 * Checks a request and fills in the defaults. All faults are reported at once.
 * @throws PlatformError `CALLBACK_INVALID`, with the faults as `details`
 */
export function toCallbackRequest(input: CallbackInput, rules: RequestRules): CallbackRequest {
  const faults: FieldFault[] = [];
  const url = parseUrl(input.url, rules, faults);
  const method = parseMethod(input.method ?? 'POST', faults);
  checkName('application', input.application, faults);
  checkName('queue', input.queue, faults);
  checkName('secret', input.secret, faults);
  if (input.headers) faults.push(...headerFaults(input.headers));
  if (input.policy) {
    faults.push(...policyFaults(input.policy), ...attemptFaults(input.policy, rules.maxAttempts));
  }
  const timeoutMs = input.timeoutMs ?? rules.defaultTimeoutMs;
  checkTimeout(timeoutMs, rules, faults);
  checkEmail(input.notificationEmail, faults);
  checkMoment('expiresAt', input.expiresAt, faults);
  checkMoment('deliverAfter', input.deliverAfter, faults);
  if (faults.length > 0 || !url) throw callbackInvalid(faults);
  return {
    application: input.application ?? '',
    queue: input.queue || undefined,
    endpointId: input.endpointId,
    url: input.url,
    origin: url.origin,
    method,
    headers: withTrace(input.headers, input.trace),
    body: input.body,
    policy: input.policy ?? leftOutPolicy,
    timeoutMs,
    secret: input.secret || undefined,
    notificationEmail: input.notificationEmail || undefined,
    expiresAt: input.expiresAt,
    deliverAfter: input.deliverAfter,
    echo: input.echo ?? 0,
  };
}

function parseMethod(text: string, faults: FieldFault[]): CallbackMethod | '' {
  if (text === '') return '';
  const method = callbackMethods.find((known) => known === text);
  if (method) return method;
  faults.push({ field: 'method', message: `must be one of ${callbackMethods.join(', ')}` });
  return 'POST';
}
