/*
 * Statements of `planMail`. One process plans at a time, so that limits hold for all of them. It
 * locks recipients in the order (application, address), as recipient-store.ts says.
 */
import type { Queryable, Statement, Transaction } from '@posthaste/postgres';
import type { NewNotice, PlannedRecipient, RecipientPlan } from './mail-plan.js';
import type { RecipientKey } from './recipient-store.js';

/** Kinds of work that there is. */
export interface MailWork {
  /** True if there are new notices. */
  readonly notices: boolean;
  /** True if mails have waited too long for a confirmation. */
  readonly expired: boolean;
  /** True if a summary is due. */
  readonly summaries: boolean;
  /** True if a confirmation mail is due. */
  readonly confirmations: boolean;
}

/** Indexes: `mail_new`, `mail_held`, `mail_recipient_suppressed`, `mail_recipient_confirmation_due`. */
const findWorkStatement: Statement = {
  name: 'callbacks_mail_find_work',
  text: `
select exists (select 1 from callbacks.mail where stage = 'new') as notices,
  exists (
    select 1 from callbacks.mail
    where stage = 'held' and created_at < now() - $1::float8 * interval '1 ms'
  ) as expired,
  exists (
    select 1 from callbacks.mail_recipient
    where suppressed > 0 and state = 'confirmed'
      and window_started_at <= now() - interval '1 hour'
  ) as summaries,
  exists (
    select 1 from callbacks.mail_recipient where confirmation_due_at <= now()
  ) as confirmations`,
};

/** Finds out what there is to plan. */
export async function findWork(db: Queryable, maxHeldMs: number): Promise<MailWork> {
  const { rows } = await db.query<MailWork>(findWorkStatement, [maxHeldMs]);
  return rows[0] ?? { notices: false, expired: false, summaries: false, confirmations: false };
}

/** Returns false if another process is planning. Lasts until the end of the transaction. */
export async function lockPlanning(tx: Transaction): Promise<boolean> {
  const { rows } = await tx.query<{ locked: boolean }>(
    `select pg_try_advisory_xact_lock(hashtext('callbacks.mail plan')) as locked`,
  );
  return rows[0]?.locked === true;
}

const findNewStatement: Statement = {
  name: 'callbacks_mail_find_new',
  text: `select id, application, recipient as address, notices, body <> '' as "hasText"
    from callbacks.mail where stage = 'new' order by id limit $1`,
};

/** Notice in the outbox, with its recipient. */
export interface NoticeRow extends RecipientKey, NewNotice {}

/** Finds new notices, oldest first. Index: `mail_new`. */
export async function findNewNotices(tx: Transaction, limit: number): Promise<NoticeRow[]> {
  return (await tx.query<NoticeRow>(findNewStatement, [limit])).rows;
}

/** Recipient whose row is locked. */
export interface LockedRecipient extends RecipientKey, PlannedRecipient {
  readonly id: string;
}

const lockStatement: Statement = {
  name: 'callbacks_mail_recipient_lock',
  text: `
select r.id, r.application, r.address
from unnest($1::text[], $2::text[]) as i(application, address)
join callbacks.mail_recipient r on r.application = i.application and r.address = i.address
order by r.application, r.address
for no key update of r`,
};

/** A statement after the lock, which sees what its holder before has committed. */
const readLockedStatement: Statement = {
  name: 'callbacks_mail_recipient_read',
  text: `
select r.id, r.application, r.address, r.state,
  case when r.window_started_at > now() - interval '1 hour' then r.window_mails else 0 end
    as "mailsInWindow",
  case when r.state = 'pending' then (
    select count(*)::int from callbacks.mail m
    where m.application = r.application and m.recipient = r.address and m.stage = 'held'
  ) else 0 end as held
from callbacks.mail_recipient r where r.id = any($1)`,
};

/** Locks recipients and returns those that exist. */
export async function lockRecipients(
  tx: Transaction,
  keys: readonly RecipientKey[],
): Promise<LockedRecipient[]> {
  const { rows } = await tx.query<{ id: string }>(lockStatement, [
    keys.map(({ application }) => application),
    keys.map(({ address }) => address),
  ]);
  const ids = rows.map(({ id }) => id);
  return (await tx.query<LockedRecipient>(readLockedStatement, [ids])).rows;
}

const dueStatement: Statement = {
  name: 'callbacks_mail_make_due',
  text: `update callbacks.mail set stage = 'due', due_at = now() where id = any($1)`,
};

const holdStatement: Statement = {
  name: 'callbacks_mail_hold',
  text: `update callbacks.mail set stage = 'held' where id = any($1)`,
};

const removeStatement: Statement = {
  name: 'callbacks_mail_remove_planned',
  text: 'delete from callbacks.mail where id = any($1)',
};

/**
 * Counts what was planned. An hour begins with the first mail in it. A pending recipient whose mails
 * wait is asked once more if the link of its confirmation has expired.
 */
const countStatement: Statement = {
  name: 'callbacks_mail_recipient_count',
  text: `
update callbacks.mail_recipient r
set window_mails = case when w.running then r.window_mails else 0 end + i.sent,
  window_started_at = case when w.running then r.window_started_at else now() end,
  suppressed = r.suppressed + i.suppressed,
  dropped = r.dropped + i.dropped,
  confirmation_due_at = case
    when r.state <> 'pending' then null
    when r.confirmation_sent_at < now() - interval '7 days' then now()
    else r.confirmation_due_at
  end,
  updated_at = now()
from unnest($1::uuid[], $2::int[], $3::int[], $4::int[]) as i(id, sent, suppressed, dropped)
cross join lateral (
  select coalesce((
    select window_started_at > now() - interval '1 hour'
    from callbacks.mail_recipient where id = i.id
  ), false) as running
) w
where r.id = i.id`,
};

/** Writes the plans of recipients whose rows are locked. */
export async function writePlans(tx: Transaction, plans: readonly RecipientPlan[]): Promise<void> {
  const change = async (statement: Statement, ids: readonly string[]): Promise<void> => {
    if (ids.length > 0) await tx.query(statement, [ids]);
  };
  await change(
    dueStatement,
    plans.flatMap(({ plan }) => plan.send),
  );
  await change(
    holdStatement,
    plans.flatMap(({ plan }) => plan.hold),
  );
  await change(
    removeStatement,
    plans.flatMap(({ plan }) => plan.remove),
  );
  const known = plans.flatMap(({ id, plan }) => (id === undefined ? [] : [{ id, plan }]));
  await tx.query(countStatement, [
    known.map(({ id }) => id),
    known.map(({ plan }) => plan.send.length),
    known.map(({ plan }) => plan.suppressed),
    known.map(({ plan }) => plan.dropped),
  ]);
}

const findExpiredStatement: Statement = {
  name: 'callbacks_mail_find_expired',
  text: `
select distinct application, recipient as address from (
  select application, recipient from callbacks.mail
  where stage = 'held' and created_at < now() - $1::float8 * interval '1 ms'
  order by created_at limit 500
) m`,
};

const expireStatement: Statement = {
  name: 'callbacks_mail_expire',
  text: `
with gone as (
  delete from callbacks.mail m using callbacks.mail_recipient r
  where r.id = any($1) and m.application = r.application and m.recipient = r.address
    and m.stage = 'held' and m.created_at < now() - $2::float8 * interval '1 ms'
  returning r.id, m.notices
)
update callbacks.mail_recipient r
set suppressed = r.suppressed + g.notices,
  window_started_at = coalesce(r.window_started_at, now() - interval '1 hour')
from (select id, sum(notices) as notices from gone group by id) g where r.id = g.id`,
};

/** Deletes mails that have waited too long, and counts them for the summary. Index: `mail_held`. */
export async function expireHeldMails(tx: Transaction, maxHeldMs: number): Promise<void> {
  const holders = await tx.query<RecipientKey>(findExpiredStatement, [maxHeldMs]);
  if (holders.rowCount === 0) return;
  const locked = await lockRecipients(tx, holders.rows);
  await tx.query(expireStatement, [locked.map(({ id }) => id), maxHeldMs]);
}

const forgetStatement: Statement = {
  name: 'callbacks_mail_recipient_forget',
  text: `
delete from callbacks.mail_recipient where id in (
  select r.id from callbacks.mail_recipient r
  where r.state = 'pending' and r.updated_at < now() - $1::float8 * interval '1 ms'
    and not exists (
      select 1 from callbacks.mail m
      where m.application = r.application and m.recipient = r.address
    )
  limit $2
)`,
};

/** Deletes pending recipients for which nothing has come for so long; returns their number. */
export async function forgetPendingRecipients(
  db: Queryable,
  { olderThanMs, limit }: { readonly olderThanMs: number; readonly limit: number },
): Promise<number> {
  return (await db.query(forgetStatement, [olderThanMs, limit])).rowCount;
}
