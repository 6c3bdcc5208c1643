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
  /** Attempts made. */
  readonly attempts: number;
  /** Of the last attempt; absent when there was none. */
  readonly last: LastAttempt | undefined;
  /** Whether its queue stands still until somebody unblocks it. */
  readonly parked: boolean;
}

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
  unknown: 'what came of it is unknown',
};

/** Tells of a callback that will not be attempted again. Has nothing of headers, bodies, secrets. */
export function toFailureMail(recipient: string, callback: FailedCallback): Mail {
  const { ending, queue, last } = callback;
  const application = toLine(callback.application, maxNameLength);
  const what = ending === 'expired' ? 'expired' : 'failed';
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
    subject: `Callback${of} ${what}: ${toPublicHost(callback.url)}`,
    body: [
      ending === 'expired'
        ? 'A callback was not delivered before it expired.'
        : 'A callback could not be delivered, and is not attempted again.',
      toTable(facts),
      callback.parked
        ? 'Its queue stands still until it is unblocked. Retry the callback, or skip it.'
        : 'It can be replayed.',
    ].join('\n\n'),
  };
}

/** Tells of an endpoint that gets no more callbacks. */
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
      'An endpoint was disabled. Its callbacks are kept and not attempted.',
      toTable(facts),
      'They go on when it is activated again.',
    ].join('\n\n'),
  };
}

/** Mail addresses are taken in checked; one that could be read as two, or as a header, is none. */
const addressPattern = /^[^\s@<>,;:"()[\]\\]{1,64}@[^\s@<>,;:"()[\]\\]{1,253}$/;

/** Whether a mail can go to this recipient: exactly one address, without a name. */
export function isMailAddress(recipient: string): boolean {
  return addressPattern.test(recipient);
}

/**
 * Text for one line of a mail: no line breaks, other control characters, or characters that turn
 * the direction of what follows. Names come from callers; in a subject they must not start a header.
 */
export function toLine(text: string, maxLength: number): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu, ' ').trim();
  return line.length > maxLength ? `${line.slice(0, maxLength - 1)}…` : line;
}

function describeAttempt({ at, statusCode, reason }: LastAttempt): string {
  const status = statusCode === 0 ? '' : `status ${statusCode}, `;
  return `${at.toISOString()}: ${status}${reason ? reasons[reason] : 'delivered'}`;
}

/** Without user, password, query and fragment, where secrets are. */
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
