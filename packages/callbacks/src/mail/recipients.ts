import {
  type Applications,
  PlatformError,
  parseId,
  toApplicationColumn,
} from '@posthaste/contracts';
import type { Database, Queryable, Statement } from '@posthaste/postgres';
import {
  type Page,
  type PageRequest,
  pageLimit,
  parseIdCursor,
  toIdCursor,
  toPage,
} from '../page.js';
import {
  decidedColumns,
  dropMails,
  type RecipientKey,
  type RecipientState,
  releaseMails,
} from './recipient-store.js';

/** Recipient of mails, as the API shows it. */
export interface MailRecipient extends RecipientKey {
  readonly id: string;
  readonly state: RecipientState;
  /**
   * Source of the state: an upgrade (`migration`), a caller whose addresses need no confirmation or
   * the list of allowed ones (`caller`), the person (`recipient`), or an `operator`. Absent while it
   * is pending.
   */
  readonly decidedBy: 'migration' | 'caller' | 'recipient' | 'operator' | undefined;
  readonly decidedAt: Date | undefined;
  /** Mails that asked for a confirmation. */
  readonly confirmations: number;
  /** Mails that wait for the confirmation. */
  readonly held: number;
  /** Notices that the next summary counts. */
  readonly suppressed: number;
  /** Notices that were never sent, because the recipient refused mails. */
  readonly dropped: number;
  readonly createdAt: Date;
}

/** Filter of recipients. A recipient must match every member that is given. */
export interface RecipientFilter {
  readonly within: Applications;
  readonly state?: RecipientState | undefined;
}

/** The tokens of a recipient are in no list: whoever has one, decides. */
const columns = `r.id, r.application, r.address, r.state, r.decided_by as "decidedBy",
  r.decided_at as "decidedAt", r.confirmations, r.suppressed, r.dropped, r.created_at as "createdAt",
  (select count(*)::int from callbacks.mail m where m.application = r.application
    and m.recipient = r.address and m.stage = 'held') as held`;

type RecipientRow = {
  readonly [Name in keyof MailRecipient]: Name extends 'suppressed' | 'dropped'
    ? bigint
    : Exclude<MailRecipient[Name], undefined> | null;
};

const listStatement: Statement = {
  name: 'callbacks_mail_recipient_list',
  text: `
select ${columns} from callbacks.mail_recipient r
where ($1::text[] is null or r.application = any($1)) and ($2::text is null or r.state = $2)
  and ($3::uuid is null or r.id < $3)
order by r.id desc limit $4`,
};

/** Lists recipients, newest first. @throws PlatformError `REQUEST_INVALID` */
export async function listMailRecipients(
  db: Queryable,
  { within, state }: RecipientFilter,
  page: PageRequest = {},
): Promise<Page<MailRecipient>> {
  const limit = pageLimit(page);
  const { rows } = await db.query<RecipientRow>(listStatement, [
    toApplicationColumn(within),
    state ?? null,
    page.cursor === undefined ? null : parseIdCursor(page.cursor),
    limit + 1,
  ]);
  return toPage(rows, { limit, toItem: toRecipient, cursorAfter: ({ id }) => toIdCursor(id) });
}

const findStatement: Statement = {
  name: 'callbacks_mail_recipient_find',
  text: `select ${columns} from callbacks.mail_recipient r
    where r.id = $1 and ($2::text[] is null or r.application = any($2))`,
};

/** Returns a recipient. @throws PlatformError `MAIL_RECIPIENT_NOT_FOUND` */
export async function getMailRecipient(
  db: Queryable,
  id: string,
  within: Applications,
): Promise<MailRecipient> {
  const key = parseId(id);
  if (key === undefined) throw recipientNotFound(id);
  const { rows } = await db.query<RecipientRow>(findStatement, [key, toApplicationColumn(within)]);
  if (!rows[0]) throw recipientNotFound(id);
  return toRecipient(rows[0]);
}

function toRecipient(row: RecipientRow): MailRecipient {
  return {
    ...(row as unknown as MailRecipient),
    decidedBy: row.decidedBy ?? undefined,
    decidedAt: row.decidedAt ?? undefined,
    suppressed: Number(row.suppressed),
    dropped: Number(row.dropped),
  };
}

function recipientNotFound(id: string): PlatformError {
  const message = `there is no mail recipient with the id '${id}'`;
  return new PlatformError('MAIL_RECIPIENT_NOT_FOUND', message);
}

const confirmStatement: Statement = {
  name: 'callbacks_mail_recipient_confirm',
  text: `
update callbacks.mail_recipient r set state = 'confirmed', decided_by = 'operator', ${decidedColumns}
where r.id = $1 and ($2::text[] is null or r.application = any($2))
  and not (r.state = 'refused' and r.decided_by = 'recipient') and r.state <> 'confirmed'
returning r.application, r.address`,
};

/**
 * Confirms a recipient as an operator; its mails that waited are sent. Does nothing if it is
 * confirmed already.
 * @throws PlatformError `MAIL_RECIPIENT_NOT_FOUND`; `MAIL_RECIPIENT_REFUSED` when the person has
 *   refused mails, which no operator can change
 */
export async function confirmMailRecipient(
  db: Database,
  id: string,
  within: Applications,
): Promise<void> {
  const { state, decidedBy } = await getMailRecipient(db, id, within);
  if (state === 'refused' && decidedBy === 'recipient') {
    throw new PlatformError(
      'MAIL_RECIPIENT_REFUSED',
      'the recipient has refused mails of this application; name another address',
    );
  }
  await db.transaction(async (tx) => {
    const values = [parseId(id), toApplicationColumn(within)];
    const { rows } = await tx.query<RecipientKey>(confirmStatement, values);
    await releaseMails(tx, rows);
  });
}

const refuseStatement: Statement = {
  name: 'callbacks_mail_recipient_refuse',
  text: `
update callbacks.mail_recipient r set state = 'refused', decided_by = 'operator', ${decidedColumns}
where r.id = $1 and ($2::text[] is null or r.application = any($2)) and r.state <> 'refused'
returning r.application, r.address`,
};

/**
 * Refuses a recipient as an operator; its mails that waited are dropped. Does nothing if it is
 * refused already.
 * @throws PlatformError `MAIL_RECIPIENT_NOT_FOUND`
 */
export async function refuseMailRecipient(
  db: Database,
  id: string,
  within: Applications,
): Promise<void> {
  await getMailRecipient(db, id, within);
  await db.transaction(async (tx) => {
    const values = [parseId(id), toApplicationColumn(within)];
    const { rows } = await tx.query<RecipientKey>(refuseStatement, values);
    if (rows[0]) await dropMails(tx, rows[0]);
  });
}
