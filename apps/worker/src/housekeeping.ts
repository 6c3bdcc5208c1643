import {
  dropExpired,
  ensurePartitions,
  forgetIdempotencyKeys,
  type MailLogger,
  reconcileQueues,
  releaseHeldHeads,
  removeExpiredSecrets,
  sendDueMail,
  stepReplay,
} from '@posthaste/callbacks';
import type { PostgresLog } from '@posthaste/eventstream';
import type { Database } from '@posthaste/postgres';
import { createMailer, type SmtpMailer } from './mailer.js';
import { type PeriodicTask, PeriodicTasks } from './periodic.js';

export interface HousekeepingOptions {
  readonly retentionDays: number;
  readonly idempotencyMs: number;
  readonly smtpUrl: string | undefined;
  readonly mailFrom: string;
  readonly eventRetentionMs: number;
}

export interface HousekeepingDeps {
  readonly db: Database;
  readonly log: PostgresLog;
  readonly logger: MailLogger;
}

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const daysAhead = 7;
const keysPerRun = 5_000;
const replaysPerStep = 200;
const mailsPerRun = 10;

/** What has to be done besides delivering: partitions, retention, replays, mail, the log, repairs. */
export class Housekeeping {
  readonly #tasks: PeriodicTasks;
  readonly #mailer: SmtpMailer | undefined;

  constructor({ db, log, logger }: HousekeepingDeps, options: HousekeepingOptions) {
    const { smtpUrl, mailFrom } = options;
    this.#mailer = smtpUrl === undefined ? undefined : createMailer(smtpUrl, mailFrom);
    this.#tasks = new PeriodicTasks(
      [
        ...callbackTasks(db, options),
        logTask(log, options),
        mailTask(db, this.#mailer ?? loggingMailer(logger), logger),
      ],
      logger,
    );
  }

  async close(): Promise<void> {
    await this.#tasks.close();
    this.#mailer?.close();
  }
}

function callbackTasks(db: Database, options: HousekeepingOptions): PeriodicTask[] {
  return [
    {
      name: 'prepare partitions',
      everyMs: hour,
      run: async () => void (await ensurePartitions(db, { daysAhead })),
    },
    {
      name: 'drop what is past its retention',
      everyMs: hour,
      run: async () => (await dropExpired(db, options)).more,
    },
    {
      name: 'forget idempotency keys',
      everyMs: hour,
      async run() {
        const retentionHours = options.idempotencyMs / hour;
        return (await forgetIdempotencyKeys(db, { retentionHours })) === keysPerRun;
      },
    },
    {
      name: 'forget rotated secrets',
      everyMs: hour,
      run: async () => void (await removeExpiredSecrets(db)),
    },
    {
      name: 'replay',
      everyMs: second,
      run: async () => (await stepReplay(db, replaysPerStep)) !== undefined,
    },
    {
      name: 'mend holds',
      everyMs: 5 * second,
      async run() {
        await reconcileQueues(db);
        await releaseHeldHeads(db);
        return false;
      },
    },
  ];
}

/** The log is dropped in spans of time: seven of them and one that is written to. */
function logTask(log: PostgresLog, { eventRetentionMs: retentionMs }: HousekeepingOptions) {
  const segmentMs = Math.min(day, retentionMs / 7);
  return {
    name: 'maintain the event log',
    everyMs: 5 * minute,
    run: async () => (await log.maintain({ segmentMs, retentionMs })).busy,
  } satisfies PeriodicTask;
}

function mailTask(
  db: Database,
  mailer: Parameters<typeof sendDueMail>[1],
  logger: MailLogger,
): PeriodicTask {
  return {
    name: 'send mail',
    everyMs: second,
    run: async () =>
      (await sendDueMail(db, mailer, { logger, limit: mailsPerRun })).sent === mailsPerRun,
  };
}

/** Without SMTP, notices go to the log, so that they do not pile up and are not lost in silence. */
function loggingMailer(logger: MailLogger): Parameters<typeof sendDueMail>[1] {
  return {
    async send({ recipient, subject }) {
      logger.warn({ recipient, subject }, 'a notice was not mailed: POSTHASTE_SMTP_URL is not set');
    },
  };
}
