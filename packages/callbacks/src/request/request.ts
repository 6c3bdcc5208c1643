import { PlatformError } from '@posthaste/contracts';
import type { RetryPolicy } from '../retry/retry-policy.js';
import { headerFault } from './header-rules.js';
import { type TraceHeaders, withTrace } from './trace-headers.js';

/** A callback as it is stored: complete, checked, every default filled in. */
export interface CallbackRequest {
  /** Whose it is. Queues, secrets and Idempotency-Keys belong to an application. May be empty. */
  readonly application: string;
  /** Ordered with everything else of this name; absent: ordered with nothing. */
  readonly queue: string | undefined;
  readonly endpointId: string | undefined;
  readonly url: string;
  /** Scheme, host and port of the URL, as `URL.origin` gives it. */
  readonly origin: string;
  /** Empty for a client of the compatible API that gave none: sent as GET. */
  readonly method: CallbackMethod | '';
  /** As they were given, and those of its trace. */
  readonly headers: Readonly<Record<string, string>> | undefined;
  /** Absent and empty differ; sent with POST, PUT and PATCH only. */
  readonly body: Buffer | undefined;
  readonly policy: RetryPolicy;
  readonly timeoutMs: number;
  /** Name of the application's secret that signs it. */
  readonly secret: string | undefined;
  readonly notificationEmail: string | undefined;
  readonly expiresAt: Date | undefined;
  readonly deliverAfter: Date | undefined;
  /** Above 0 for what is made for an event about another callback: see echo.ts. */
  readonly echo: number;
}

export const callbackMethods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD'] as const;
export type CallbackMethod = (typeof callbackMethods)[number];

/** What a caller may give. Only `url` is required. */
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
  readonly expiresAt?: Date | undefined;
  readonly deliverAfter?: Date | undefined;
  /** The trace that its deliveries continue. Default: one of its own. */
  readonly trace?: TraceHeaders | undefined;
}

/** What an installation allows. */
export interface RequestRules {
  /** Time of one attempt when the caller gives none. */
  readonly defaultTimeoutMs: number;
  /** The longest time a caller may give: shorter than the lease. */
  readonly maxTimeoutMs: number;
  /** Why this URL may not be called, or `undefined`; judges literal addresses, resolves nothing. */
  readonly urlFault: (url: URL) => string | undefined;
}

/** One thing that is wrong with a request. */
export interface FieldFault {
  readonly field: string;
  readonly message: string;
}

const maxUrlLength = 4_096;
const maxHostLength = 253;
const maxNameLength = 256;
const maxPhases = 100;
const maxRetries = 100_000;
const maxDelayMs = 10 * 365 * 24 * 3_600_000;
const maxHorizonMs = 10 * 365 * 24 * 3_600_000;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const controlCharacters = /[\u0000-\u001f\u007f]/;
/** Enough to refuse what no mail server takes; whether it exists only a mail can tell. */
const emailPattern = /^[^\s@<>,;:"()[\]\\]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;

/**
 * Checks a request and fills in the defaults. Everything that is wrong is found at once.
 * @throws PlatformError `CALLBACK_INVALID`, with the faults as `details`
 */
export function toCallbackRequest(input: CallbackInput, rules: RequestRules): CallbackRequest {
  const faults: FieldFault[] = [];
  const url = parseUrl(input.url, rules, faults);
  const method = parseMethod(input.method ?? 'POST', faults);
  checkName('application', input.application, faults);
  checkName('queue', input.queue, faults);
  checkName('secret', input.secret, faults);
  if (input.headers) faults.push(...headerFault(input.headers));
  if (input.policy) faults.push(...policyFaults(input.policy));
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
    policy: input.policy ?? { kind: 'phases', phases: [] },
    timeoutMs,
    secret: input.secret || undefined,
    notificationEmail: input.notificationEmail || undefined,
    expiresAt: input.expiresAt,
    deliverAfter: input.deliverAfter,
    echo: 0,
  };
}

/** The error of a callback request with these faults. */
export function callbackInvalid(faults: readonly FieldFault[]): PlatformError {
  return new PlatformError('CALLBACK_INVALID', describe(faults), { details: faults });
}

/** The error of any other request with these faults. */
export function requestInvalid(faults: readonly FieldFault[]): PlatformError {
  return new PlatformError('REQUEST_INVALID', describe(faults), { details: faults });
}

function describe(faults: readonly FieldFault[]): string {
  return faults.map(({ field, message }) => `${field} ${message}`).join('; ');
}

/** What is out of range in a policy. */
export function policyFaults(policy: RetryPolicy): FieldFault[] {
  const faults: FieldFault[] = [];
  const check = (field: string, ok: boolean, message: string): void => {
    if (!ok) faults.push({ field, message });
  };
  if (policy.kind === 'phases') {
    check('retryPhases', policy.phases.length <= maxPhases, `has more than ${maxPhases} phases`);
    policy.phases.forEach(({ retries, delayNs }, i) => {
      const whole = Number.isInteger(retries) && retries >= 0 && retries <= maxRetries;
      check(`retryPhases[${i}].retries`, whole, `must be 0 to ${maxRetries}`);
      check(`retryPhases[${i}].delay`, delayNs >= 0n && delayNs < 2n ** 63n, 'is out of range');
    });
    return faults;
  }
  const within = (field: string, value: number, low: number, high: number): void =>
    check(`policy.${field}`, value >= low && value <= high, `must be ${low} to ${high}`);
  within('initialDelayMs', policy.initialDelayMs, 1, maxDelayMs);
  within('factor', policy.factor, 1, 100);
  within('maxDelayMs', policy.maxDelayMs, policy.initialDelayMs, maxDelayMs);
  within('maxRetries', policy.maxRetries, 0, maxRetries);
  check('policy.maxRetries', Number.isInteger(policy.maxRetries), 'must be a whole number');
  within('jitter', policy.jitter, 0, 1);
  if (policy.maxAgeMs !== undefined) within('maxAgeMs', policy.maxAgeMs, 1, maxHorizonMs);
  return faults;
}

/** The URL of a request; `undefined` when it may not be called, with the reason added to `faults`. */
export function parseUrl(text: string, rules: RequestRules, faults: FieldFault[]): URL | undefined {
  const fault = (message: string): undefined => {
    faults.push({ field: 'url', message });
    return undefined;
  };
  if (text === '') return fault('is missing');
  if (text.length > maxUrlLength) return fault(`is longer than ${maxUrlLength} characters`);
  if (controlCharacters.test(text)) return fault('has control characters');
  if (!text.isWellFormed()) return fault('has half a surrogate pair');
  const url = URL.parse(text);
  if (!url) return fault('is not an absolute URL');
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    return fault('is neither http nor https');
  // No name of the DNS is longer. The host is part of an index, whose entries are limited.
  if (url.hostname.length > maxHostLength) {
    return fault(`has a host of more than ${maxHostLength} characters`);
  }
  const denied = rules.urlFault(url);
  return denied === undefined ? url : fault(`is refused: ${denied}`);
}

function parseMethod(text: string, faults: FieldFault[]): CallbackMethod | '' {
  if (text === '') return '';
  const method = callbackMethods.find((known) => known === text);
  if (method) return method;
  faults.push({ field: 'method', message: `must be one of ${callbackMethods.join(', ')}` });
  return 'POST';
}

/** Checks the name of an application, a queue or a secret. */
export function checkName(field: string, name: string | undefined, faults: FieldFault[]): void {
  if (name === undefined) return;
  if (name.length > maxNameLength) {
    faults.push({ field, message: `is longer than ${maxNameLength} characters` });
  } else if (controlCharacters.test(name)) {
    faults.push({ field, message: 'has control characters' });
  } else if (!name.isWellFormed()) {
    // The database has no such text: two names would become one.
    faults.push({ field, message: 'has half a surrogate pair' });
  }
}

/** Whether something can have this name: what cannot is looked for in vain, and not in the database. */
export function isName(text: string): boolean {
  return text.length <= maxNameLength && !controlCharacters.test(text) && text.isWellFormed();
}

/** Checks the time of one attempt. */
export function checkTimeout(timeoutMs: number, rules: RequestRules, faults: FieldFault[]): void {
  if (Number.isInteger(timeoutMs) && timeoutMs >= 1 && timeoutMs <= rules.maxTimeoutMs) return;
  faults.push({ field: 'timeoutMs', message: `must be 1 to ${rules.maxTimeoutMs}` });
}

/** Checks a mail address; none, or an empty one, is right too. */
export function checkEmail(address: string | undefined, faults: FieldFault[]): void {
  if (!address || (emailPattern.test(address) && !controlCharacters.test(address))) return;
  faults.push({ field: 'notificationEmail', message: 'is not a mail address' });
}

function checkMoment(field: string, moment: Date | undefined, faults: FieldFault[]): void {
  if (moment === undefined) return;
  const ms = moment.getTime();
  if (!(ms >= 0 && ms <= Date.now() + maxHorizonMs)) {
    faults.push({ field, message: 'is not a time within the next ten years' });
  }
}
