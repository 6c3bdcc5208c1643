import { type Backoff, backoffMs, newId, PlatformError, withTimeout } from '@posthaste/contracts';
import type { Database, Queryable, Statement } from '@posthaste/postgres';
import { isMailAddress, type Mail } from './failure-mail.js';

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

const enqueueStatement: Statement = {
  name: 'callbacks_mail_enqueue',
  text: `insert into callbacks.mail (id, recipient, subject, body)
    select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[])`,
};

/**
 * Puts mails into the outbox, in the transaction of the change that they report. Mails whose
 * recipient is not exactly one address are left out, so that the change does not fail because of
 * them.
 * @returns the number of mails put in
 */
export async function enqueueMail(tx: Queryable, mails: readonly Mail[]): Promise<number> {
  const sendable = mails.filter(({ recipient }) => isMailAddress(recipient));
  if (sendable.length === 0) return 0;
  await tx.query(enqueueStatement, [
    sendable.map(() => newId()),
    sendable.map(({ recipient }) => recipient),
    sendable.map(({ subject }) => subject),
    sendable.map(({ body }) => body),
  ]);
  return sendable.length;
}

interface ClaimedMail extends Mail {
  readonly id: string;
  /** Number of attempts, the current one included. */
  readonly attempts: number;
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
)
update callbacks.mail m
set attempts = m.attempts + 1, due_at = now() + $2::float8 * interval '1 ms'
from due where m.id = due.id
returning m.id, m.recipient, m.subject, m.body, m.attempts`,
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
  const { id, attempts, recipient, subject, body } = mail;
  try {
    await withTimeout(mailer.send({ recipient, subject, body }), sendTimeoutMs, () => {
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

/** Returns the backoff of mails: from `firstBackoffMs` after the first failure, up to 6 hours. */
export function mailBackoff(firstBackoffMs: number): Backoff {
  return { initialMs: firstBackoffMs, maxMs: maxBackoffMs };
}
