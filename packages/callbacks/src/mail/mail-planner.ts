import type { Database, Transaction } from '@posthaste/postgres';
import { askForConfirmations } from './confirmations.js';
import { AllowedRecipients, toMailbox } from './mail-address.js';
import { type MailLimits, planNotices, type RecipientPlan } from './mail-plan.js';
import {
  expireHeldMails,
  findNewNotices,
  findWork,
  forgetPendingRecipients,
  type LockedRecipient,
  lockPlanning,
  lockRecipients,
  type NoticeRow,
  writePlans,
} from './plan-store.js';
import { type RecipientKey, registerRecipients } from './recipient-store.js';
import { sumUp } from './summaries.js';

/** Options of {@link planMail}. */
export interface MailPlanOptions {
  /**
   * Address of the gateway for people, for links in mails. Without it nobody can be asked for a
   * confirmation, and recipients stay pending until an operator decides.
   */
  readonly publicUrl?: string | undefined;
  /** Most mails to one recipient in an hour. Default 30. */
  readonly perHour?: number | undefined;
  /** Addresses (`ops@example.com`) and domains (`*@example.com`) that need no confirmation. */
  readonly allowed?: readonly string[] | undefined;
  /** Most notices of one call. Default 2,000. */
  readonly limit?: number | undefined;
  /** Age at which a mail that waits for a confirmation is only counted, in ms. Default 7 days. */
  readonly maxHeldMs?: number | undefined;
}

/** Result of {@link planMail}. */
export interface MailsPlanned {
  /** True if there may be more to plan now. */
  readonly more: boolean;
  /** Number of notices and summaries that became mails. */
  readonly due: number;
  /**
   * Number of notices that nobody gets, because too many recipients of their application wait for a
   * confirmation. Those of refused recipients are counted with the recipient.
   */
  readonly dropped: number;
  /** True if recipients cannot be asked for a confirmation, because there is no public URL. */
  readonly unaskable: boolean;
}

const day = 24 * 3_600_000;
/** Most mails of one recipient that wait for a confirmation. */
const maxHeld = 20;

/**
 * Plans mails: one process at a time decides on the notices that results have put into the outbox.
 *
 * - A confirmed recipient gets up to `perHour` mails in an hour. Notices beyond that are counted,
 *   and summed up in one mail when the hour is over.
 * - A pending recipient is asked for a confirmation once. Up to 20 of its mails wait, for up to 7
 *   days; others are counted for the summary after the confirmation.
 * - Mails to a refused recipient are dropped, and counted.
 * @throws PlatformError `DATABASE_*`
 */
export async function planMail(db: Database, options: MailPlanOptions): Promise<MailsPlanned> {
  const { maxHeldMs = 7 * day, publicUrl } = options;
  const work = await findWork(db, maxHeldMs);
  // First, because an hour that is over begins again with the next notice.
  const summaries = work.summaries ? await alone(db, sumUp) : undefined;
  const planned = work.notices ? await alone(db, (tx) => planNew(tx, options)) : undefined;
  if (work.expired) await alone(db, (tx) => expireHeldMails(tx, maxHeldMs));
  // New notices may bring new recipients.
  if ((work.confirmations || planned) && publicUrl !== undefined) {
    await alone(db, (tx) => askForConfirmations(tx, publicUrl));
  }
  return {
    more: planned?.more ?? false,
    due: (planned?.due ?? 0) + (summaries ?? 0),
    dropped: planned?.dropped ?? 0,
    unaskable: work.confirmations && publicUrl === undefined,
  };
}

/**
 * Runs a step in a transaction of its own while no other process plans: each step locks recipients
 * in one order, and several in one transaction could wait for each other's. Returns `undefined` if
 * another process is planning.
 */
async function alone<T>(
  db: Database,
  step: (tx: Transaction) => Promise<T>,
): Promise<T | undefined> {
  return db.transaction(async (tx) => ((await lockPlanning(tx)) ? step(tx) : undefined));
}

/** Deletes recipients that have waited too long for a confirmation. To be called now and then. */
export async function forgetUnconfirmedRecipients(
  db: Database,
  limit: number = 1_000,
): Promise<number> {
  return forgetPendingRecipients(db, { olderThanMs: 90 * day, limit });
}

/** Result of the step that plans new notices. */
type NewPlanned = Omit<MailsPlanned, 'unaskable'>;

async function planNew(tx: Transaction, options: MailPlanOptions): Promise<NewPlanned> {
  const { limit = 2_000, perHour = 30, allowed } = options;
  const rows = await findNewNotices(tx, limit);
  if (rows.length === 0) return { more: false, due: 0, dropped: 0 };
  const byRecipient = Map.groupBy(rows, toKey);
  const keys = [...byRecipient.values()].flatMap(([first]) => (first ? [first] : []));
  await registerUnseen(tx, keys, new AllowedRecipients(allowed));
  const locked = new Map((await lockRecipients(tx, keys)).map((row) => [toKey(row), row]));
  const limits: MailLimits = { perHour, held: maxHeld };
  const plans = [...byRecipient].map(([key, notices]) => toPlan(locked.get(key), notices, limits));
  await writePlans(tx, plans);
  return {
    more: rows.length === limit,
    due: plans.reduce((sum, { plan }) => sum + plan.send.length, 0),
    dropped: plans.reduce((sum, { id, plan }) => sum + (id === undefined ? plan.dropped : 0), 0),
  };
}

/**
 * Stores recipients that no gateway of this version has seen: those of callbacks that were accepted
 * before, and those that were forgotten since.
 */
async function registerUnseen(
  tx: Transaction,
  keys: readonly RecipientKey[],
  allowed: AllowedRecipients,
): Promise<void> {
  await registerRecipients(
    tx,
    keys.map(({ application, address }) => ({
      application,
      address,
      mailbox: toMailbox(address),
      isTrusted: allowed.has(address),
    })),
  );
}

function toKey({ application, address }: RecipientKey): string {
  return `${application}\0${address}`;
}

function toPlan(
  recipient: LockedRecipient | undefined,
  notices: readonly NoticeRow[],
  limits: MailLimits,
): RecipientPlan {
  return { id: recipient?.id, plan: planNotices(recipient, notices, limits) };
}
