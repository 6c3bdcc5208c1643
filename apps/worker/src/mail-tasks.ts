import {
  forgetUnconfirmedRecipients,
  type Mailer,
  type MailLogger,
  planMail,
  sendDueMail,
} from '@posthaste/callbacks';
import type { Database } from '@posthaste/postgres';
import type { PeriodicTask } from './periodic-tasks.js';

/** Options of {@link mailTasks}; each is a setting. */
export interface MailTaskOptions {
  /** Address of the gateway for people: POSTHASTE_PUBLIC_URL. */
  readonly publicUrl?: string | undefined;
  /** Most mails to one recipient in an hour: POSTHASTE_MAX_MAILS_PER_RECIPIENT. */
  readonly maxMailsPerRecipient: number;
  /** Addresses and domains that need no confirmation: POSTHASTE_MAIL_RECIPIENTS. */
  readonly mailRecipients: readonly string[];
}

/** Dependencies of {@link mailTasks}. */
export interface MailTaskDeps {
  readonly db: Database;
  /** Without an SMTP server mails are logged. */
  readonly mailer: Mailer | undefined;
  readonly logger: MailLogger;
}

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const mailsPerRun = 10;
const recipientsPerRun = 1_000;

/** Creates the tasks that plan and send mails. */
export function mailTasks(deps: MailTaskDeps, options: MailTaskOptions): PeriodicTask[] {
  const { db, logger, mailer = loggingMailer(logger) } = deps;
  return [
    planTask(deps, options),
    {
      name: 'send mail',
      everyMs: second,
      async run() {
        const { publicUrl } = options;
        const { sent } = await sendDueMail(db, mailer, { logger, publicUrl, limit: mailsPerRun });
        return sent === mailsPerRun;
      },
    },
    {
      name: 'forget recipients that were not confirmed',
      everyMs: hour,
      run: async () =>
        (await forgetUnconfirmedRecipients(db, recipientsPerRun)) === recipientsPerRun,
    },
  ];
}

function planTask({ db, logger }: MailTaskDeps, options: MailTaskOptions): PeriodicTask {
  const { publicUrl, maxMailsPerRecipient: perHour, mailRecipients: allowed } = options;
  const reports = createReports(logger);
  return {
    name: 'plan mail',
    everyMs: second,
    async run() {
      const { more, dropped, unaskable } = await planMail(db, { publicUrl, perHour, allowed });
      reports.dropped(dropped);
      if (unaskable) reports.unaskable();
      return more;
    },
  };
}

/** Creates the lines of the log about mails that nobody gets; a flood of mails makes no flood of lines. */
function createReports(logger: MailLogger) {
  let mails = 0;
  let nextAt = Number.NEGATIVE_INFINITY;
  let isReported = false;
  return {
    dropped(count: number): void {
      mails += count;
      if (mails === 0 || performance.now() < nextAt) return;
      logger.warn(
        { mails },
        'mails were dropped: too many recipients of their application wait for a confirmation; GET /v1/mail-recipients?state=pending lists them',
      );
      mails = 0;
      nextAt = performance.now() + minute;
    },
    unaskable(): void {
      if (isReported) return;
      isReported = true;
      logger.warn(
        {},
        'recipients of mails wait for a confirmation, and cannot be asked because POSTHASTE_PUBLIC_URL is not set; set it, add them to POSTHASTE_MAIL_RECIPIENTS, or confirm them: GET /v1/mail-recipients?state=pending lists them',
      );
    },
  };
}

/** Logs mails when there is no SMTP server, so that they do not pile up and are not lost unnoticed. */
function loggingMailer(logger: MailLogger): Mailer {
  return {
    async send({ recipient, subject }) {
      logger.warn(
        { recipient, subject },
        'a notification was logged and not mailed, because POSTHASTE_SMTP_URL is not set',
      );
    },
  };
}
