/*
 * Decisions on mails, without I/O: which notices are sent, wait, or are counted for a summary.
 */
import type { RecipientState } from './recipient-store.js';

/** Limits on the mails of each recipient. */
export interface MailLimits {
  /** Most mails in an hour. */
  readonly perHour: number;
  /** Most mails that wait for a confirmation; more are counted for the summary. */
  readonly held: number;
}

/** Recipient, as far as the decision needs it. */
export interface PlannedRecipient {
  readonly state: RecipientState;
  /** Mails sent to it in the hour that is running. */
  readonly mailsInWindow: number;
  /** Mails of it that wait for a confirmation. */
  readonly held: number;
}

/** Notice in the outbox that is not planned yet. */
export interface NewNotice {
  readonly id: string;
  /** Number of notices that the row stands for. */
  readonly notices: number;
  /** False if the notices are only counted. */
  readonly hasText: boolean;
}

/** Decision on the new notices of one recipient. */
export interface MailPlan {
  /** Ids of mails to send. */
  readonly send: string[];
  /** Ids of mails that wait for a confirmation. */
  readonly hold: string[];
  /** Ids of mails to delete. */
  readonly remove: string[];
  /** Number of notices for the next summary. */
  readonly suppressed: number;
  /** Number of notices that nobody gets. */
  readonly dropped: number;
}

/** Plan of one recipient. */
export interface RecipientPlan {
  /** Id of the recipient; absent if it is not stored. */
  readonly id: string | undefined;
  readonly plan: MailPlan;
}

/**
 * Decides on the new notices of one recipient, oldest first.
 * @param recipient `undefined` if it is not stored, because too many of its application wait
 */
export function planNotices(
  recipient: PlannedRecipient | undefined,
  notices: readonly NewNotice[],
  limits: MailLimits,
): MailPlan {
  const kept = recipient ? keptOf(recipient, notices, limits) : [];
  const keptIds = new Set(kept);
  const rest = notices.filter(({ id }) => !keptIds.has(id));
  const count = rest.reduce((sum, notice) => sum + notice.notices, 0);
  const isLost = recipient === undefined || recipient.state === 'refused';
  return {
    send: recipient?.state === 'confirmed' ? kept : [],
    hold: recipient?.state === 'pending' ? kept : [],
    remove: rest.map(({ id }) => id),
    suppressed: isLost ? 0 : count,
    dropped: isLost ? count : 0,
  };
}

/** Returns the ids of notices that are sent, or wait. */
function keptOf(
  { state, mailsInWindow, held }: PlannedRecipient,
  notices: readonly NewNotice[],
  limits: MailLimits,
): string[] {
  if (state === 'refused') return [];
  const capacity = state === 'confirmed' ? limits.perHour - mailsInWindow : limits.held - held;
  const texts = notices.filter(({ hasText }) => hasText).map(({ id }) => id);
  return texts.slice(0, Math.max(0, capacity));
}

/** Limits on mails that ask for a confirmation. */
export const confirmationLimits: {
  readonly perMailbox: number;
  readonly mailboxPauseMs: number;
  readonly perApplicationAndHour: number;
} = {
  /** Most to one mailbox, for all applications together. */
  perMailbox: 3,
  /** Shortest time between two to one mailbox, in ms. */
  mailboxPauseMs: 24 * 3_600_000,
  /** Most for one application in an hour. */
  perApplicationAndHour: 20,
};

/** Recipient that has got no confirmation mail yet. */
export interface Unasked {
  readonly application: string;
  readonly mailbox: string;
}

/** Confirmation mails so far, for the limits. */
export interface ConfirmationHistory {
  /** By mailbox. */
  readonly mailboxes: ReadonlyMap<string, MailboxHistory>;
  /** Confirmation mails of the last hour, by application. */
  readonly inLastHour: ReadonlyMap<string, number>;
}

/** Confirmation mails to one mailbox. */
export interface MailboxHistory {
  readonly confirmations: number;
  /** Time since the last one, in ms; absent if there was none. */
  readonly lastMsAgo: number | undefined;
  /** True if its person has refused mails of an application. */
  readonly hasRefused: boolean;
}

/** Decision on a confirmation mail: send it now, look at it again after so many ms, or never. */
export type ConfirmationPlan = 'send' | 'never' | { readonly waitMs: number };

/**
 * Decides on confirmation mails, in this order: each one that is sent counts for those after it.
 */
export function planConfirmations(
  unasked: readonly Unasked[],
  history: ConfirmationHistory,
): ConfirmationPlan[] {
  const mailboxes = new Map(history.mailboxes);
  const inLastHour = new Map(history.inLastHour);
  return unasked.map(({ application, mailbox }) => {
    const { confirmations = 0, lastMsAgo, hasRefused = false } = mailboxes.get(mailbox) ?? {};
    if (hasRefused || confirmations >= confirmationLimits.perMailbox) return 'never';
    const { mailboxPauseMs, perApplicationAndHour } = confirmationLimits;
    if (lastMsAgo !== undefined && lastMsAgo < mailboxPauseMs) {
      return { waitMs: mailboxPauseMs - lastMsAgo };
    }
    const sent = inLastHour.get(application) ?? 0;
    if (sent >= perApplicationAndHour) return { waitMs: 3_600_000 };
    inLastHour.set(application, sent + 1);
    mailboxes.set(mailbox, { confirmations: confirmations + 1, lastMsAgo: 0, hasRefused });
    return 'send';
  });
}
