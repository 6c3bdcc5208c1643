import { createHash, randomBytes } from 'node:crypto';
import type { Database, Queryable, Statement } from '@posthaste/postgres';
import { decidedColumns, dropMails, type RecipientKey, releaseMails } from './recipient-store.js';

/*
 * Links of recipients. The token of a confirmation is stored as its hash: who reads the database
 * cannot confirm an address. The token of a refusal is stored as it is, because each mail has its
 * link; it can do nothing but stop mails.
 */

/** Path of the page on which a recipient confirms. */
export const confirmPath = '/v1/mail-recipients/confirm';
/** Path of the page on which a recipient refuses. */
export const refusePath = '/v1/mail-recipients/refuse';

/** A new token of a confirmation. */
export interface ConfirmToken {
  readonly token: string;
  /** Hash of the token, which is stored. */
  readonly hash: Buffer;
}

/** Creates a token of 256 random bits. */
export function createConfirmToken(): ConfirmToken {
  const token = randomBytes(32).toString('base64url');
  return { token, hash: hashConfirmToken(token) };
}

function hashConfirmToken(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/** Returns the link of a confirmation. */
export function confirmLink(publicUrl: string, token: string): string {
  return `${publicUrl}${confirmPath}?token=${encodeURIComponent(token)}`;
}

/** Returns the link of a refusal. */
export function refuseLink(publicUrl: string, token: string): string {
  return `${publicUrl}${refusePath}?token=${encodeURIComponent(token)}`;
}

/** Condition of a token of a confirmation that is valid: for 7 days. */
const validToken = `r.confirm_token_hash = $1 and r.state = 'pending'
  and r.confirmation_sent_at > now() - interval '7 days'`;

const findByTokenStatement: Statement = {
  name: 'callbacks_mail_recipient_by_token',
  text: `select r.application, r.address from callbacks.mail_recipient r where ${validToken}`,
};

/** Finds the recipient of a confirmation's token; changes nothing, so that scanners may follow links. */
export async function findByConfirmToken(
  db: Queryable,
  token: string,
): Promise<RecipientKey | undefined> {
  const { rows } = await db.query<RecipientKey>(findByTokenStatement, [hashConfirmToken(token)]);
  return rows[0];
}

const confirmByTokenStatement: Statement = {
  name: 'callbacks_mail_recipient_confirm_by_token',
  text: `
update callbacks.mail_recipient r set state = 'confirmed', decided_by = 'recipient', ${decidedColumns}
where ${validToken}
returning r.application, r.address`,
};

/** Confirms the recipient of a token; returns `undefined` if the token is not valid (any more). */
export async function confirmByToken(
  db: Database,
  token: string,
): Promise<RecipientKey | undefined> {
  return db.transaction(async (tx) => {
    const values = [hashConfirmToken(token)];
    const { rows } = await tx.query<RecipientKey>(confirmByTokenStatement, values);
    await releaseMails(tx, rows);
    return rows[0];
  });
}

const findByRefuseTokenStatement: Statement = {
  name: 'callbacks_mail_recipient_by_refuse_token',
  text: `select application, address from callbacks.mail_recipient where refuse_token = $1`,
};

/** Finds the recipient of a refusal's token; changes nothing. */
export async function findByRefuseToken(
  db: Queryable,
  token: string,
): Promise<RecipientKey | undefined> {
  return (await db.query<RecipientKey>(findByRefuseTokenStatement, [token])).rows[0];
}

const refuseByTokenStatement: Statement = {
  name: 'callbacks_mail_recipient_refuse_by_token',
  text: `
update callbacks.mail_recipient r set state = 'refused', decided_by = 'recipient', ${decidedColumns}
where r.refuse_token = $1
returning r.application, r.address`,
};

/** Refuses all further mails to the recipient of a token; `undefined` if there is no such token. */
export async function refuseByToken(
  db: Database,
  token: string,
): Promise<RecipientKey | undefined> {
  return db.transaction(async (tx) => {
    const { rows } = await tx.query<RecipientKey>(refuseByTokenStatement, [token]);
    if (rows[0]) await dropMails(tx, rows[0]);
    return rows[0];
  });
}
