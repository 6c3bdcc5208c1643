import { newId } from '@posthaste/contracts';
import type { Statement, Transaction } from '@posthaste/postgres';
import { toConfirmationMail } from './failure-mail.js';
import {
  type ConfirmationHistory,
  type ConfirmationPlan,
  planConfirmations,
  type Unasked,
} from './mail-plan.js';
import { confirmLink, createConfirmToken, refuseLink } from './recipient-links.js';

/** Most confirmation mails of one call. */
const maxAsked = 100;

/** Index: `mail_recipient_confirmation_due`. */
const findUnaskedStatement: Statement = {
  name: 'callbacks_mail_find_unasked',
  text: `
select id, application, address, mailbox, refuse_token as "refuseToken"
from callbacks.mail_recipient
where confirmation_due_at <= now() and state = 'pending'
order by confirmation_due_at limit $1
for no key update skip locked`,
};

interface UnaskedRow extends Unasked {
  readonly id: string;
  readonly address: string;
  readonly refuseToken: string;
}

/** Index: `mail_recipient_mailbox`. */
const mailboxesStatement: Statement = {
  name: 'callbacks_mail_mailboxes',
  text: `
select mailbox, sum(confirmations)::int as confirmations,
  bool_or(state = 'refused' and decided_by = 'recipient') as "hasRefused",
  extract(epoch from now() - max(confirmation_sent_at))::float8 * 1000 as "lastMsAgo"
from callbacks.mail_recipient where mailbox = any($1) group by mailbox`,
};

interface MailboxRow {
  readonly mailbox: string;
  readonly confirmations: number;
  readonly hasRefused: boolean;
  readonly lastMsAgo: number | null;
}

/** Index: `mail_recipient_confirmation_sent`. */
const inLastHourStatement: Statement = {
  name: 'callbacks_mail_confirmations_in_hour',
  text: `
select application, count(*)::int as sent from callbacks.mail_recipient
where application = any($1) and confirmation_sent_at > now() - interval '1 hour'
group by application`,
};

const askedStatement: Statement = {
  name: 'callbacks_mail_asked',
  text: `
with asked as (
  update callbacks.mail_recipient r
  set confirmations = r.confirmations + 1, confirmation_sent_at = now(),
    confirmation_due_at = null, confirm_token_hash = i.hash
  from unnest($1::uuid[], $2::bytea[]) as i(id, hash) where r.id = i.id
)
insert into callbacks.mail (id, application, recipient, kind, subject, body)
select mail_id, application, recipient, 'confirmation', subject, body
from unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[])
  as m(mail_id, application, recipient, subject, body)`,
};

const postponedStatement: Statement = {
  name: 'callbacks_mail_ask_later',
  text: `
update callbacks.mail_recipient r
set confirmation_due_at = now() + i.wait_ms * interval '1 ms'
from unnest($1::uuid[], $2::float8[]) as i(id, wait_ms) where r.id = i.id`,
};

/**
 * Asks pending recipients for their confirmation, within the limits for mailboxes and applications.
 * Recipients that may not be asked stay pending, for an operator.
 */
export async function askForConfirmations(tx: Transaction, publicUrl: string): Promise<void> {
  const { rows } = await tx.query<UnaskedRow>(findUnaskedStatement, [maxAsked]);
  if (rows.length === 0) return;
  const plans = planConfirmations(rows, await findHistory(tx, rows));
  const asked = rows.filter((_, i) => plans[i] === 'send');
  if (asked.length > 0) await ask(tx, asked, publicUrl);
  const others = rows.flatMap((row, i) => toPostponed(row, plans[i]) ?? []);
  if (others.length === 0) return;
  await tx.query(postponedStatement, [
    others.map(({ id }) => id),
    others.map(({ waitMs }) => waitMs),
  ]);
}

async function findHistory(
  tx: Transaction,
  rows: readonly UnaskedRow[],
): Promise<ConfirmationHistory> {
  const mailboxes = await tx.query<MailboxRow>(mailboxesStatement, [
    [...new Set(rows.map(({ mailbox }) => mailbox))],
  ]);
  const hour = await tx.query<{ application: string; sent: number }>(inLastHourStatement, [
    [...new Set(rows.map(({ application }) => application))],
  ]);
  return {
    mailboxes: new Map(
      mailboxes.rows.map(({ mailbox, lastMsAgo, ...row }) => [
        mailbox,
        { ...row, lastMsAgo: lastMsAgo ?? undefined },
      ]),
    ),
    inLastHour: new Map(hour.rows.map(({ application, sent }) => [application, sent])),
  };
}

async function ask(tx: Transaction, rows: readonly UnaskedRow[], publicUrl: string): Promise<void> {
  const tokens = rows.map(() => createConfirmToken());
  const texts = rows.map(({ refuseToken }, i) =>
    toConfirmationMail({
      confirm: confirmLink(publicUrl, tokens[i]?.token ?? ''),
      refuse: refuseLink(publicUrl, refuseToken),
    }),
  );
  await tx.query(askedStatement, [
    rows.map(({ id }) => id),
    tokens.map(({ hash }) => hash),
    rows.map(() => newId()),
    rows.map(({ application }) => application),
    rows.map(({ address }) => address),
    texts.map(({ subject }) => subject),
    texts.map(({ body }) => body),
  ]);
}

/** `waitMs` is null if it is not asked any more. */
function toPostponed(
  { id }: UnaskedRow,
  plan: ConfirmationPlan | undefined,
): { readonly id: string; readonly waitMs: number | null } | undefined {
  if (plan === undefined || plan === 'send') return undefined;
  return { id, waitMs: plan === 'never' ? null : plan.waitMs };
}
