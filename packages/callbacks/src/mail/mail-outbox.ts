import { type Backoff, backoffMs, newId, PlatformError, withTimeout } from '@posthaste/contracts';
import type { Database, Queryable, Statement } from '@posthaste/postgres';
import { isMailAddress, type Mail } from './failure-mail.js';

/** Sends one mail; rejects when the server did not take it. */
export interface Mailer {
  send(mail: Mail): Promise<void>;
}

/** Where it is told that a mail could not be sent. pino's logger fits. */
export interface MailLogger {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface MailOptions {
  readonly logger: MailLogger;
  /** Mails in one call, sent side by side. Default 10. */
  readonly limit?: number | undefined;
  /** A mail that is not sent by then counts as failed, in ms. Default 30,000. */
  readonly sendTimeoutMs?: number | undefined;
  /** Attempts at one mail. Default 12, over about a day. */
  readonly maxAttempts?: number | undefined;
  /** Wait after the first failure, in ms; doubled after each. Default 60,000. */
  readonly firstBackoffMs?: number | undefined;
}

export interface MailsSent {
  readonly sent: number;
  /** Will be tried again. */
  readonly failed: number;
  readonly givenUp: number;
}

const maxBackoffMs = 6 * 3_600_000;
/** A mail belongs to its sender for its time to send and this, so that both do not meet. */
const claimMarginMs = 15_000;

const enqueueStatement: Statement = {
  name: 'callbacks_mail_enqueue',
  text: `insert into callbacks.mail (id, recipient, subject, body)
    select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[])`,
};

/**
 * Puts mails into the outbox, in the transaction of what they tell. A recipient that is not one
 * mail address is left out: a notice must not undo what it is about.
 * @returns how many were put in
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
  /** This one included. */
  readonly attempts: number;
}

/** Index: `mail_due_at`. Due again later: a mail whose sender vanishes is then sent by another. */
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

/** The number of attempts is the fence: a sender that was too slow changes nothing. */
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
 * Sends mails that are due, each at least once: after a crash one may be sent again. One that fails
 * is tried again, later each time, and given up in the end.
 * @throws PlatformError `DATABASE_*`; a mail that fails is not an error
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
  const outcomes = await Promise.all(rows.map((mail) => sendOne(db, mailer, mail, options)));
  const count = (wanted: MailOutcome): number => outcomes.filter((o) => o === wanted).length;
  return { sent: count('sent'), failed: count('failed'), givenUp: count('given-up') };
}

type MailOutcome = 'sent' | 'failed' | 'given-up';

async function sendOne(
  db: Database,
  mailer: Mailer,
  mail: ClaimedMail,
  options: MailOptions,
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
      logger.error(fields, 'a mail could not be sent and is given up');
      return 'given-up';
    }
    const waitMs = backoffMs(attempts, mailBackoff(firstBackoffMs), Math.random());
    await db.query(retryStatement, [id, attempts, waitMs]);
    logger.warn(fields, 'a mail could not be sent and is tried again later');
    return 'failed';
  }
}

/** Returns when a mail is tried again: up to `firstBackoffMs` after the first failure, later ones up to 6 hours. */
export function mailBackoff(firstBackoffMs: number): Backoff {
  return { initialMs: firstBackoffMs, maxMs: maxBackoffMs };
}
