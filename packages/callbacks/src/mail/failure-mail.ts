import type { FailureReason } from '../delivery/delivery.js';
import type { DisabledEndpoint } from '../endpoints/endpoint-state.js';

/** A mail to one person, in plain text. */
export interface Mail {
  readonly recipient: string;
  readonly subject: string;
  readonly body: string;
}

/** A callback that failed for good. */
export interface FailedCallback {
  readonly id: string;
  readonly application: string;
  readonly queue: string | undefined;
  readonly method: string;
  readonly url: string;
  readonly ending: 'failed' | 'expired';
  readonly acceptedAt: Date;
  /** Number of attempts made. */
  readonly attempts: number;
  /** Absent when there was no attempt. */
  readonly last: LastAttempt | undefined;
  /** True if its queue is parked: nothing of it is sent until it is unblocked. */
  readonly parked: boolean;
}

/** Last attempt of a callback that failed. */
export interface LastAttempt {
  readonly at: Date;
  /** 0 when there was no answer. */
  readonly statusCode: number;
  readonly reason: FailureReason | undefined;
}

const maxNameLength = 100;
const maxUrlLength = 1_000;

const reasons: Record<FailureReason, string> = {
  dns: 'the name of the host was not found',
  refused: 'the connection was refused',
  reset: 'the connection was cut',
  tls: 'no secure connection could be made',
  timeout: 'there was no answer in time',
  blocked: 'the address is not allowed',
  too_large: 'the answer was too large',
  protocol: 'the answer was not valid HTTP',
  status: 'the answer was not a success',
  unknown: 'its outcome is unknown',
};

/** Builds the mail about a callback that failed for good. It has no headers, bodies or secrets. */
export function toFailureMail(recipient: string, callback: FailedCallback): Mail {
  const { ending, queue, last } = callback;
  const application = toLine(callback.application, maxNameLength);
  const of = application === '' ? '' : ` of ${application}`;
  const facts: [string, string | undefined][] = [
    ['Callback', callback.id],
    ['Application', application || undefined],
    ['Queue', queue && toLine(queue, maxNameLength)],
    ['Request', `${callback.method} ${toPublicUrl(callback.url)}`],
    ['Accepted', callback.acceptedAt.toISOString()],
    ['Attempts', String(callback.attempts)],
    ['Last attempt', last && describeAttempt(last)],
  ];
  return {
    recipient,
    subject: `Callback${of} ${ending}: ${toPublicHost(callback.url)}`,
    body: [
      ending === 'expired'
        ? 'A callback was not delivered before it expired.'
        : 'A callback could not be delivered. It is not attempted again.',
      toTable(facts),
      callback.parked
        ? 'Its queue is parked until it is unblocked: retry the callback, or skip it.'
        : 'It can be replayed.',
    ].join('\n\n'),
  };
}

/** Builds the mail about an endpoint that was disabled. */
export function toEndpointDisabledMail(
  recipient: string,
  endpoint: Omit<DisabledEndpoint, 'notificationEmail'>,
  disabledAt: Date,
): Mail {
  const name = toLine(endpoint.name, maxNameLength);
  const facts: [string, string | undefined][] = [
    ['Endpoint', `${name} (${endpoint.id})`],
    ['Application', toLine(endpoint.application, maxNameLength) || undefined],
    ['URL', toPublicUrl(endpoint.url)],
    ['Reason', toLine(endpoint.reason, maxUrlLength)],
    ['Disabled', disabledAt.toISOString()],
  ];
  return {
    recipient,
    subject: `Endpoint ${name} disabled`,
    body: [
      'An endpoint was disabled. Its callbacks are kept, but not sent.',
      toTable(facts),
      'They are sent once the endpoint is enabled again.',
    ].join('\n\n'),
  };
}

/**
 * Exactly one address. Addresses are checked when they are accepted; this pattern refuses text that
 * a mail server could read as two addresses or as a header.
 */
const addressPattern = /^[^\s@<>,;:"()[\]\\]{1,64}@[^\s@<>,;:"()[\]\\]{1,253}$/;

/** True if a mail can go to this recipient: exactly one address, without a name. */
export function isMailAddress(recipient: string): boolean {
  return addressPattern.test(recipient);
}

/**
 * Makes one line of a text: without line breaks, other control characters, and characters that
 * change the text direction. Names come from callers; in a subject they must not start a header.
 */
export function toLine(text: string, maxLength: number): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu, ' ').trim();
  return line.length > maxLength ? `${line.slice(0, maxLength - 1)}…` : line;
}

function describeAttempt({ at, statusCode, reason }: LastAttempt): string {
  const status = statusCode === 0 ? '' : `status ${statusCode}, `;
  return `${at.toISOString()}: ${status}${reason ? reasons[reason] : 'delivered'}`;
}

/** Removes user, password, query and fragment of a URL, which may have secrets. */
function toPublicUrl(url: string): string {
  const parsed = URL.parse(url);
  return parsed ? toLine(parsed.origin + parsed.pathname, maxUrlLength) : 'not a URL';
}

function toPublicHost(url: string): string {
  return toLine(URL.parse(url)?.host ?? 'not a URL', maxNameLength);
}

function toTable(facts: readonly (readonly [string, string | undefined])[]): string {
  const known = facts.filter(([, value]) => value !== undefined);
  const width = Math.max(...known.map(([name]) => name.length)) + 2;
  return known.map(([name, value]) => `${`${name}:`.padEnd(width)}${value}`).join('\n');
}
