import { newId } from '@posthaste/contracts';
import type { Statement, Transaction } from '@posthaste/postgres';
import { toSummaryMail } from './failure-mail.js';
import type { RecipientKey } from './recipient-store.js';

/** Most summaries of one call. */
const maxSummaries = 200;

/**
 * Ends the hour of recipients that have notices to sum up; the summary is the first mail of their
 * next hour. Index: `mail_recipient_suppressed`.
 */
const startSummariesStatement: Statement = {
  name: 'callbacks_mail_start_summaries',
  text: `
with due as (
  select id, suppressed from callbacks.mail_recipient
  where suppressed > 0 and state = 'confirmed'
    and window_started_at <= now() - interval '1 hour'
  order by window_started_at limit $1
  for no key update skip locked
)
update callbacks.mail_recipient r
set suppressed = 0, window_started_at = now(), window_mails = 1, updated_at = now()
from due where r.id = due.id
returning r.application, r.address, due.suppressed`,
};

const addStatement: Statement = {
  name: 'callbacks_mail_add_summaries',
  text: `insert into callbacks.mail (id, application, recipient, kind, subject, body)
    select id, application, recipient, 'summary', subject, body
    from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[])
      as i(id, application, recipient, subject, body)`,
};

interface SummaryRow extends RecipientKey {
  readonly suppressed: bigint;
}

/** Writes the summaries that are due; returns their number. */
export async function sumUp(tx: Transaction): Promise<number> {
  const { rows } = await tx.query<SummaryRow>(startSummariesStatement, [maxSummaries]);
  if (rows.length === 0) return 0;
  const texts = rows.map(({ application, suppressed }) =>
    toSummaryMail(application, Number(suppressed)),
  );
  await tx.query(addStatement, [
    rows.map(() => newId()),
    rows.map(({ application }) => application),
    rows.map(({ address }) => address),
    texts.map(({ subject }) => subject),
    texts.map(({ body }) => body),
  ]);
  return rows.length;
}
