import { PlatformError, parseDuration, parseExactJson, toJsonInteger } from '@posthaste/contracts';
import { callbackInvalid, type FieldFault } from './field-faults.js';
import type { CallbackView } from './lookup/callback-view.js';
import type { CallbackInput, CallbackRequest } from './request/request.js';
import type { RetryPhase, RetryPolicy } from './retry/retry-policy.js';

/*
 * The wire format of `POST /callback` and `GET /callback/{id}`, which existing clients use: keys in
 * any case, unknown ones ignored, a missing or null one read as its zero value, `data` as padded
 * base64, delays as whole nanoseconds. An answer shows left-out headers, data and phases as null.
 */

/** Members of a JSON object, by their keys in lower case. */
type Fields = ReadonlyMap<string, unknown>;

const exactKeys: ReadonlySet<string> = new Set(['delay']);
/** Methods that only the native API accepts. */
const refusedMethods: ReadonlySet<string> = new Set(['PATCH', 'DELETE', 'HEAD']);
const methodFault: FieldFault = { field: 'method', message: 'must be GET, POST or PUT' };
/** Beginnings of field names, in the native API and on this wire. */
const wireNames: readonly (readonly [string, string])[] = [
  ['application', 'applicationid'],
  ['queue', 'queueid'],
  ['notificationEmail', 'notificationemailaddress'],
  ['headers', 'postdata.headers'],
  ['retryPhases', 'retryphases'],
];

/** Parses a callback request. @throws PlatformError `REQUEST_INVALID`, `CALLBACK_INVALID` */
export function parseCompatibleRequest(text: string): CallbackInput {
  const fields = toFields(parseJson(text), 'the request');
  const postdata = toFields(fields.get('postdata') ?? {}, 'postdata');
  return {
    url: readText(fields, 'url'),
    method: readMethod(fields),
    application: readText(fields, 'applicationid'),
    queue: readText(fields, 'queueid'),
    notificationEmail: readText(fields, 'notificationemailaddress'),
    headers: readHeaders(postdata.get('headers')),
    body: readData(postdata.get('data')),
    policy: readPolicy(fields.get('retryphases')),
  };
}

/** Converts the error of a request: its faults get the names of fields on this wire. */
export function toCompatibleError(error: unknown): unknown {
  if (!(error instanceof PlatformError)) return error;
  if (error.code === 'APPLICATION_REQUIRED') {
    const message = 'the caller has several applications; name one as `applicationid`';
    const details = [{ field: 'applicationid', message: 'is required' }];
    return new PlatformError(error.code, message, { details, cause: error });
  }
  if (error.code !== 'CALLBACK_INVALID') return error;
  return callbackInvalid((error.details as readonly FieldFault[]).map(toWireFault));
}

function toWireFault(fault: FieldFault): FieldFault {
  const { field, message } = fault;
  if (field === 'method') return methodFault;
  const [native, wire] = wireNames.find(([name]) => field.startsWith(name)) ?? ['', ''];
  return { field: wire + field.slice(native.length), message };
}

/** Writes the answer to a callback that was just stored, as JSON. */
export function newCompatibleStatus(id: string, request: CallbackRequest): string {
  return `{"id":"${id}","request":${toWireRequest(request)},"attempts":[],"locks":[],"success":false}`;
}

/** Writes the status of a callback, as JSON. */
export function toCompatibleStatus(view: CallbackView): string {
  const { application, queue } = view;
  const request = toWireRequest({ ...view.request, application, queue });
  const attempts = view.attempts.map((attempt) => ({
    statuscode: attempt.statusCode,
    response: {
      headers: attempt.responseHeaders ? joinHeaders(attempt.responseHeaders) : null,
      data: attempt.responseBody?.toString('base64') ?? null,
    },
    time: new Date(attempt.startedAtMs).toISOString(),
    duration: toJsonInteger(attempt.durationNs),
  }));
  const locks = view.leases.map((lease) => ({
    acquired: lease.acquiredAt.toISOString(),
    timeout: lease.until.toISOString(),
    completed: lease.completedAt !== undefined,
    machinename: lease.machine,
  }));
  const success = view.state === 'delivered';
  return `{"id":"${view.id}","request":${request},"attempts":${JSON.stringify(attempts)},"locks":${JSON.stringify(locks)},"success":${success}}`;
}

type StoredRequest = Pick<CallbackRequest, 'application' | 'queue' | 'url' | 'headers' | 'body'> & {
  readonly method: string;
  readonly policy: RetryPolicy;
  readonly notificationEmail: string | undefined;
};

/**
 * Writes the JSON around the data by hand: base64 has nothing to escape, and searching it for
 * something would cost more than everything else in the answer.
 */
function toWireRequest(request: StoredRequest): string {
  const { url, method, headers, body, policy, application, queue, notificationEmail } = request;
  const phases = policy.kind === 'phases' && !policy.leftOut ? policy.phases : undefined;
  const data = body ? `"${body.toString('base64')}"` : 'null';
  const before = JSON.stringify({ url, method });
  const after = JSON.stringify({
    retryphases: phases ? phases.map(toWirePhase) : null,
    applicationid: application,
    queueid: queue ?? '',
    notificationemailaddress: notificationEmail ?? '',
  });
  const postdata = `{"headers":${JSON.stringify(headers ?? null)},"data":${data}}`;
  return `${before.slice(0, -1)},"postdata":${postdata},${after.slice(1)}`;
}

function toWirePhase({ retries, delayNs }: RetryPhase): object {
  return { retries, delay: toJsonInteger(delayNs) };
}

function parseJson(text: string): unknown {
  try {
    return parseExactJson(text, exactKeys);
  } catch (cause) {
    throw new PlatformError('REQUEST_INVALID', 'the request body is not valid JSON', { cause });
  }
}

/** Reads a JSON object. Of two keys that differ in case only, the last one counts. */
function toFields(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new PlatformError('REQUEST_INVALID', `${what} is not a JSON object`);
  }
  const fields = new Map<string, unknown>();
  for (const [key, member] of Object.entries(value)) fields.set(key.toLowerCase(), member);
  return fields;
}

function readText(fields: Fields, key: string): string {
  const value = fields.get(key) ?? '';
  if (typeof value === 'string') return value;
  throw callbackInvalid([{ field: key, message: 'is not text' }]);
}

function readMethod(fields: Fields): string {
  const method = readText(fields, 'method');
  if (refusedMethods.has(method)) throw callbackInvalid([methodFault]);
  return method;
}

function readHeaders(value: unknown): Record<string, string> | undefined {
  if (value === undefined || value === null) return undefined;
  if (isTextRecord(value)) return value;
  const message = 'is not an object of header names and text values';
  throw callbackInvalid([{ field: 'postdata.headers', message }]);
}

function isTextRecord(value: unknown): value is Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((member) => typeof member === 'string');
}

function readData(value: unknown): Buffer | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') {
    const data = Buffer.from(value, 'base64');
    // The decoder skips other characters: only base64 is the same when it is encoded again.
    const text = data.toString('base64');
    // Line breaks are part of base64 in mail (RFC 2045), and existing clients send them.
    if (text === value || text === value.replace(/[\r\n]/g, '')) return data;
  }
  throw callbackInvalid([{ field: 'postdata.data', message: 'is not padded base64 text' }]);
}

function readPolicy(value: unknown): RetryPolicy | undefined {
  if (value === undefined || value === null) return undefined;
  return { kind: 'phases', phases: readPhases(value) };
}

function readPhases(value: unknown): RetryPhase[] {
  if (!Array.isArray(value)) {
    throw callbackInvalid([{ field: 'retryphases', message: 'is not a list' }]);
  }
  return value.map((entry: unknown, i) => {
    const phase = toFields(entry, `retryphases[${i}]`);
    const retries = phase.get('retries') ?? 0;
    if (typeof retries !== 'number') {
      throw callbackInvalid([{ field: `retryphases[${i}].retries`, message: 'is not a number' }]);
    }
    return { retries, delayNs: readDelay(phase.get('delay'), i) };
  });
}

function readDelay(value: unknown, i: number): bigint {
  if (value === undefined || value === null) return 0n;
  if (typeof value === 'number' || typeof value === 'bigint') {
    try {
      return parseDuration(value);
    } catch (cause) {
      if (!(cause instanceof PlatformError)) throw cause;
    }
  }
  const message = 'is not a whole number of nanoseconds within 64 bits';
  throw callbackInvalid([{ field: `retryphases[${i}].delay`, message }]);
}

/** Joins headers of the same name to one value, as HTTP allows. */
function joinHeaders(headers: readonly (readonly [string, string])[]): Record<string, string> {
  const joined = new Map<string, string>();
  for (const [name, value] of headers) {
    const before = joined.get(name);
    joined.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return Object.fromEntries(joined);
}
