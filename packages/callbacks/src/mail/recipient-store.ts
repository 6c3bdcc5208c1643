/*
 * Table `callbacks.mail_recipient`: one row for each address that an application named.
 *
 * States: `pending` (its mails wait), `confirmed` (it gets mails), `refused` (it gets none, and what
 * waited is dropped). Allowed transitions: pending → confirmed by a trusted caller, the person or an
 * operator; pending or confirmed → refused by the person or an operator; refused → confirmed by an
 * operator, and only if an operator refused: what a person refused stays refused.
 *
 * Locks: whoever changes the stage of a recipient's mails holds the lock on its row, and locks rows
 * in the order (application, address). Its mails are read by a later statement than the one that
 * locks, because that sees what the holder before has committed.
 */
import { newId } from '@posthaste/contracts';
import type { Queryable, Statement, Transaction } from '@posthaste/postgres';

/** State of a recipient. */
export type RecipientState = 'pending' | 'confirmed' | 'refused';

/** Address that an application named. */
export interface RecipientMention {
  readonly application: string;
  /** In the form of `toRecipientAddress`. */
  readonly address: string;
  /** True if it needs no confirmation. */
  readonly isTrusted: boolean;
}

/**
 * Most recipients of one application that wait for a confirmation. Further addresses are not
 * stored, and get no mail, until some are confirmed, refused or forgotten.
 */
export const maxPendingRecipients = 1_000;

/**
 * Stores recipients that are new, and confirms those that wait for a confirmation if a trusted
 * caller names them. Rows that stay as they are, are not locked. Indexes:
 * `mail_recipient_application_address_key`, `mail_recipient_pending`.
 */
const registerStatement: Statement = {
  name: 'callbacks_mail_recipient_register',
  text: `
with input as (
  select distinct on (application, address) *
  from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::boolean[])
    as i(id, application, address, mailbox, trusted)
  order by application, address, trusted desc
),
fresh as (
  select i.*, row_number() over (partition by i.application, i.trusted order by i.address) as place
  from input i
  left join callbacks.mail_recipient r on r.application = i.application and r.address = i.address
  where r.id is null or (i.trusted and r.state = 'pending')
),
full_to as (
  select a.application, (
    select count(*) from (
      select 1 from callbacks.mail_recipient r
      where r.application = a.application and r.state = 'pending' limit $6
    ) p
  ) as pending
  from (select distinct application from fresh where not trusted) a
)
insert into callbacks.mail_recipient
  (id, application, address, mailbox, state, decided_by, decided_at, confirmation_due_at)
select f.id, f.application, f.address, f.mailbox,
  case when f.trusted then 'confirmed' else 'pending' end,
  case when f.trusted then 'caller' end,
  case when f.trusted then now() end,
  case when not f.trusted then now() end
from fresh f
left join full_to n on n.application = f.application
where f.trusted or n.pending + f.place <= $6
order by f.application, f.address
on conflict (application, address) do update
  set state = 'confirmed', decided_by = 'caller', decided_at = now(), confirmation_due_at = null,
    confirm_token_hash = null, updated_at = now()
  where excluded.state = 'confirmed' and mail_recipient.state = 'pending'
returning application, address, state`,
};

/** Makes mails that wait for a confirmation new again, for the planner. Index: `mail_of_recipient`. */
const releaseStatement: Statement = {
  name: 'callbacks_mail_release',
  text: `
update callbacks.mail m set stage = 'new'
from unnest($1::text[], $2::text[]) as i(application, address)
where m.application = i.application and m.recipient = i.address and m.stage = 'held'`,
};

/** Mention with the mailbox of its address. */
export interface StoredMention extends RecipientMention {
  readonly mailbox: string;
}

/** Stores recipients that are new: {@link registerStatement}. */
export async function registerRecipients(
  db: Queryable,
  mentions: readonly StoredMention[],
): Promise<void> {
  const { rows } = await db.query<RecipientKey & { readonly state: RecipientState }>(
    registerStatement,
    [
      mentions.map(() => newId()),
      mentions.map(({ application }) => application),
      mentions.map(({ address }) => address),
      mentions.map(({ mailbox }) => mailbox),
      mentions.map(({ isTrusted }) => isTrusted),
      maxPendingRecipients,
    ],
  );
  await releaseMails(
    db,
    rows.filter(({ state }) => state === 'confirmed'),
  );
}

/** Application and address of a recipient. */
export interface RecipientKey {
  readonly application: string;
  readonly address: string;
}

/**
 * Releases the mails of recipients that were just confirmed. If the process ends before this, they
 * are summed up when they are too old to wait.
 */
export async function releaseMails(
  db: Queryable,
  recipients: readonly RecipientKey[],
): Promise<void> {
  if (recipients.length === 0) return;
  await db.query(releaseStatement, [
    recipients.map(({ application }) => application),
    recipients.map(({ address }) => address),
  ]);
}

/** Columns that every decision on a recipient sets, besides its state and its source. */
export const decidedColumns = `decided_at = now(), confirmation_due_at = null,
  confirm_token_hash = null, updated_at = now()`;

/** Deletes all mails of recipients that were just refused, and counts them. Index: `mail_of_recipient`. */
const dropStatement: Statement = {
  name: 'callbacks_mail_drop',
  text: `
with gone as (
  delete from callbacks.mail m where m.application = $1 and m.recipient = $2 returning m.notices
)
update callbacks.mail_recipient
set suppressed = 0, dropped = dropped + suppressed + (select coalesce(sum(notices), 0) from gone)
where application = $1 and address = $2`,
};

/** Drops the mails of a recipient that was just refused, in the same transaction. */
export async function dropMails(tx: Transaction, recipient: RecipientKey): Promise<void> {
  await tx.query(dropStatement, [recipient.application, recipient.address]);
}

const eraseMailsStatement: Statement = {
  name: 'callbacks_mail_erase',
  text: `delete from callbacks.mail where id in
    (select id from callbacks.mail where application = $1 limit $2)`,
};

const eraseRecipientsStatement: Statement = {
  name: 'callbacks_mail_recipient_erase',
  text: `delete from callbacks.mail_recipient where id in
    (select id from callbacks.mail_recipient where application = $1 limit $2)`,
};

/**
 * Deletes recipients and mails of an application, up to `limit` rows, mails first. Fewer than
 * `limit`: nothing is left. What people refused is forgotten with the application.
 * @returns the number of rows that were deleted
 */
export async function eraseMailOfApplication(
  tx: Queryable,
  application: string,
  limit: number,
): Promise<number> {
  const mails = await tx.query(eraseMailsStatement, [application, limit]);
  if (mails.rowCount === limit) return limit;
  const left = limit - mails.rowCount;
  const recipients = await tx.query(eraseRecipientsStatement, [application, left]);
  return mails.rowCount + recipients.rowCount;
}
