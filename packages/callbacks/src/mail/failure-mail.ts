import type { FailureReason } from '../delivery/delivery.js';
import type { DisabledEndpoint } from '../endpoints/endpoint-state.js';

/*
 * Texts of mails. Subjects are constants: nothing that an application chose (URL, queue, its own
 * name) reaches the subject or another header. A body has such values one to a line, behind a label.
 */

/** Notification for one recipient, in plain text, as it is put into the outbox. */
export interface Notice {
  readonly application: string;
  /** Address as the application gave it. */
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
export function toFailureMail(recipient: string, callback: FailedCallback): Notice {
  const { ending, queue, last } = callback;
  const application = toLine(callback.application, maxNameLength);
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
    application: callback.application,
    recipient,
    subject:
      ending === 'expired' ? 'Posthaste: a callback expired' : 'Posthaste: a callback failed',
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
  endpoint: Omit<DisabledEndpoint, 'notificationEmail' | 'stateBefore'>,
  disabledAt: Date,
): Notice {
  const facts: [string, string | undefined][] = [
    ['Endpoint', `${toLine(endpoint.name, maxNameLength)} (${endpoint.id})`],
    ['Application', toLine(endpoint.application, maxNameLength) || undefined],
    ['URL', toPublicUrl(endpoint.url)],
    ['Reason', toLine(endpoint.reason, maxUrlLength)],
    ['Disabled', disabledAt.toISOString()],
  ];
  return {
    application: endpoint.application,
    recipient,
    subject: 'Posthaste: an endpoint was disabled',
    body: [
      'An endpoint was disabled. Its callbacks are kept, but not sent.',
      toTable(facts),
      'They are sent once the endpoint is enabled again.',
    ].join('\n\n'),
  };
}

/** Subject and body of a mail. */
export interface MailText {
  readonly subject: string;
  readonly body: string;
}

/** Builds the mail that sums up notices which got no mail of their own. */
export function toSummaryMail(application: string, notices: number): MailText {
  const name = toLine(application, maxNameLength);
  return {
    subject: 'Posthaste: more callbacks failed',
    body: [
      `${notices} more ${notices === 1 ? 'callback' : 'callbacks'} failed or expired, or endpoints were disabled, without a mail for each.`,
      ...(name === '' ? [] : [toTable([['Application', name]])]),
      'A recipient gets a limited number of mails in an hour. `GET /v1/callbacks?state=failed` lists all of them.',
    ].join('\n\n'),
  };
}

/** Links of one recipient. */
export interface RecipientLinks {
  readonly confirm: string;
  readonly refuse: string;
}

/** Builds the mail that asks for a confirmation. An application has no influence on any of it. */
export function toConfirmationMail({ confirm, refuse }: RecipientLinks): MailText {
  return {
    subject: 'Posthaste: confirm that you want mails about failed callbacks',
    body: [
      'This address was named for mails about HTTP callbacks that could not be delivered. None is sent before you confirm that you want them:',
      confirm,
      'If you did not expect this, do nothing, or open this link to refuse such mails for good:',
      refuse,
    ].join('\n\n'),
  };
}

/** Adds how to get no more mails to the body of a mail. */
export function withRefuseLink(body: string, refuse: string): string {
  return `${body}\n\nTo get no more of these mails:\n${refuse}`;
}

/**
 * Makes one line of a text: without line breaks, other control characters, and characters that
 * change the text direction. Names come from callers; in a body they must not start a line.
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

function toTable(facts: readonly (readonly [string, string | undefined])[]): string {
  const known = facts.filter(([, value]) => value !== undefined);
  const width = Math.max(...known.map(([name]) => name.length)) + 2;
  return known.map(([name, value]) => `${`${name}:`.padEnd(width)}${value}`).join('\n');
}
