import { type Backoff, backoffMs, newId, PlatformError, withTimeout } from '@posthaste/contracts';
import type { Database, Queryable, Statement } from '@posthaste/postgres';
import { type Notice, withRefuseLink } from './failure-mail.js';
import { toRecipientAddress } from './mail-address.js';
import { refuseLink } from './recipient-links.js';

/** A mail to one person, in plain text. */
export interface Mail {
  /** Exactly one address. */
  readonly recipient: string;
  /** Constant text: never has anything that an application chose. */
  readonly subject: string;
  readonly body: string;
  /**
   * URL at which the recipient refuses further mails, by one POST (RFC 8058). Absent without a
   * public URL of the platform.
   */
  readonly unsubscribeUrl?: string | undefined;
}

/** Sender of mails, such as an SMTP client. */
export interface Mailer {
  /** Sends one mail. Rejects when the server did not accept it. */
  send(mail: Mail): Promise<void>;
}

/** Logger for mails that could not be sent. A pino logger fits. */
export interface MailLogger {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Options of {@link sendDueMail}. */
export interface MailOptions {
  readonly logger: MailLogger;
  /** Address of the gateway for people, for links in mails. Default: mails have no links. */
  readonly publicUrl?: string | undefined;
  /** Most mails of one call; they are sent concurrently. Default 10. */
  readonly limit?: number | undefined;
  /** Longest time to send one mail, in ms; after it the mail counts as failed. Default 30,000. */
  readonly sendTimeoutMs?: number | undefined;
  /** Most attempts to send one mail. Default 12, over 10 to 20 hours. */
  readonly maxAttempts?: number | undefined;
  /** Longest wait after the first failure, in ms; doubled after each further one. Default 60,000. */
  readonly firstBackoffMs?: number | undefined;
}

/** Numbers of mails by outcome. */
export interface MailsSent {
  readonly sent: number;
  /** These are tried again later. */
  readonly failed: number;
  readonly givenUp: number;
}

const maxBackoffMs = 6 * 3_600_000;
/** A claim lasts this much longer than the time to send, so that no mail is sent by two at once. */
const claimMarginMs = 15_000;

/** Most notices of one transaction, for one recipient, that keep their text; more are counted. */
const maxTexts = 10;

const enqueueStatement: Statement = {
  name: 'callbacks_mail_enqueue',
  text: `insert into callbacks.mail
      (id, application, recipient, kind, subject, body, notices, stage, due_at)
    select id, application, recipient, 'notice', subject, body, notices, 'new', 'infinity'
    from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[])
      as i(id, application, recipient, subject, body, notices)`,
};

/**
 * Puts notices into the outbox, in the transaction of the change that they report. They wait for
 * `planMail`, which knows the recipients. Rows are only added, so that no result waits for another
 * one with the same recipient. Notices whose recipient is not exactly one address are left out, so
 * that the change does not fail because of them.
 * @returns the number of notices put in
 */
export async function enqueueNotices(tx: Queryable, notices: readonly Notice[]): Promise<number> {
  const rows = toRows(notices);
  if (rows.length === 0) return 0;
  await tx.query(enqueueStatement, [
    rows.map(() => newId()),
    rows.map(({ application }) => application),
    rows.map(({ recipient }) => recipient),
    rows.map(({ subject }) => subject),
    rows.map(({ body }) => body),
    rows.map((row) => row.notices),
  ]);
  return rows.reduce((sum, row) => sum + row.notices, 0);
}

interface NoticeRow extends Notice {
  /** Number of notices that the row stands for. The body is empty if they are only counted. */
  notices: number;
}

function toRows(notices: readonly Notice[]): NoticeRow[] {
  const rows: NoticeRow[] = [];
  const byRecipient = new Map<string, NoticeRow[]>();
  for (const notice of notices) {
    const recipient = toRecipientAddress(notice.recipient);
    if (recipient === undefined) continue;
    const key = `${notice.application}\0${recipient}`;
    const own = byRecipient.get(key) ?? [];
    byRecipient.set(key, own);
    const counted = own[maxTexts];
    if (counted) {
      counted.notices += 1;
      continue;
    }
    const body = own.length === maxTexts ? '' : notice.body;
    const row = { ...notice, recipient, body, notices: 1 };
    own.push(row);
    rows.push(row);
  }
  return rows;
}

interface ClaimedMail extends Mail {
  readonly id: string;
  /** Number of attempts, the current one included. */
  readonly attempts: number;
  /** Absent in mails of a worker of the version before. */
  readonly kind: 'notice' | 'summary' | 'confirmation' | null;
  readonly refuse_token: string | null;
}

/**
 * Claims due mails. Index: `mail_due_at`. A claim makes a mail due again later: if its sender
 * stops before it has sent the mail, another one sends it then.
 */
const claimStatement: Statement = {
  name: 'callbacks_mail_claim',
  text: `
with due as (
  select id from callbacks.mail where due_at <= now()
  order by due_at limit $1
  for no key update skip locked
),
claimed as (
  update callbacks.mail m
  set attempts = m.attempts + 1, due_at = now() + $2::float8 * interval '1 ms'
  from due where m.id = due.id
  returning m.id, m.application, m.recipient, m.subject, m.body, m.attempts, m.kind
)
select c.id, c.recipient, c.subject, c.body, c.attempts, c.kind, r.refuse_token
from claimed c
left join callbacks.mail_recipient r
  on r.application = c.application and r.address = c.recipient`,
};

/** The number of attempts is the fencing token: a sender that was too slow changes nothing. */
const retryStatement: Statement = {
  name: 'callbacks_mail_retry',
  text: `update callbacks.mail set due_at = now() + $3::float8 * interval '1 ms'
    where id = $1 and attempts = $2`,
};

const removeStatement: Statement = {
  name: 'callbacks_mail_remove',
  text: 'delete from callbacks.mail where id = $1',
};

/**
 * Sends mails that are due, each at least once: after a crash a mail may be sent again. A mail that
 * fails is tried again with increasing waits, and given up after the last attempt.
 * @throws PlatformError `DATABASE_*`; a mail that fails is an outcome, not an error
 */
export async function sendDueMail(
  db: Database,
  mailer: Mailer,
  options: MailOptions,
): Promise<MailsSent> {
  const { limit = 10, sendTimeoutMs = 30_000 } = options;
  const { rows } = await db.query<ClaimedMail>(claimStatement, [
    limit,
    sendTimeoutMs + claimMarginMs,
  ]);
  const outcomes = await Promise.all(rows.map((mail) => sendOne(mail, { db, mailer, options })));
  const count = (wanted: MailOutcome): number => outcomes.filter((o) => o === wanted).length;
  return { sent: count('sent'), failed: count('failed'), givenUp: count('given-up') };
}

type MailOutcome = 'sent' | 'failed' | 'given-up';

interface MailContext {
  readonly db: Database;
  readonly mailer: Mailer;
  readonly options: MailOptions;
}

async function sendOne(
  mail: ClaimedMail,
  { db, mailer, options }: MailContext,
): Promise<MailOutcome> {
  const { logger, sendTimeoutMs = 30_000, maxAttempts = 12, firstBackoffMs = 60_000 } = options;
  const { id, attempts } = mail;
  const outgoing = toMail(mail, options.publicUrl);
  const { subject } = outgoing;
  try {
    await withTimeout(mailer.send(outgoing), sendTimeoutMs, () => {
      throw new Error(`not sent within ${sendTimeoutMs} ms`);
    });
    await db.query(removeStatement, [id]);
    return 'sent';
  } catch (error) {
    if (error instanceof PlatformError && error.code.startsWith('DATABASE_')) throw error;
    const fields = { mailId: id, subject, attempts, error };
    if (attempts >= maxAttempts) {
      await db.query(removeStatement, [id]);
      logger.error(
        fields,
        'a mail could not be sent and is not tried again: this was the last attempt',
      );
      return 'given-up';
    }
    const waitMs = backoffMs(attempts, mailBackoff(firstBackoffMs), Math.random());
    await db.query(retryStatement, [id, attempts, waitMs]);
    logger.warn(fields, 'a mail could not be sent; it is tried again later');
    return 'failed';
  }
}

/** Subject of mails of a worker of the version before, whose own subject has text of an application. */
const legacySubject = 'Posthaste: a callback failed, or an endpoint was disabled';

function toMail(mail: ClaimedMail, publicUrl: string | undefined): Mail {
  const { recipient, body, kind, refuse_token: token } = mail;
  const subject = kind === null ? legacySubject : mail.subject;
  if (publicUrl === undefined || token === null) return { recipient, subject, body };
  const unsubscribeUrl = refuseLink(publicUrl, token);
  // The text of a confirmation has the link already.
  const text = kind === 'confirmation' ? body : withRefuseLink(body, unsubscribeUrl);
  return { recipient, subject, body: text, unsubscribeUrl };
}

/** Returns the backoff of mails: from `firstBackoffMs` after the first failure, up to 6 hours. */
export function mailBackoff(firstBackoffMs: number): Backoff {
  return { initialMs: firstBackoffMs, maxMs: maxBackoffMs };
}
