import { deleteOldEntries, ErasureRunner } from '@posthaste/access';
import {
  dropExpired,
  ensurePartitions,
  forgetIdempotencyKeys,
  type MailLogger,
  reconcileQueues,
  releaseHeldHeads,
  removeExpiredSecrets,
  stepReplay,
} from '@posthaste/callbacks';
import { type PostgresLog, parseTopicRules } from '@posthaste/eventstream';
import type { Database } from '@posthaste/postgres';
import { ApplicationRetentions } from './application-retention.js';
import { measureUsage, type UsageOptions } from './application-usage.js';
import { createErasingStages } from './erasing-stages.js';
import { type MailTaskOptions, mailTasks } from './mail-tasks.js';
import { createMailer, type SmtpMailer } from './mailer.js';
import { type PeriodicTask, PeriodicTasks } from './periodic-tasks.js';

/** Options of `Housekeeping`; each is a setting of the worker. */
export interface HousekeepingOptions extends MailTaskOptions, UsageOptions {
  /** Days after which finished callbacks are dropped: POSTHASTE_RETENTION_DAYS. */
  readonly retentionDays: number;
  /** Time for which idempotency keys are kept, in ms: POSTHASTE_IDEMPOTENCY_RETENTION. */
  readonly idempotencyMs: number;
  /** SMTP server; without one, mails are logged: POSTHASTE_SMTP_URL. */
  readonly smtpUrl: string | undefined;
  /** Sender of mails: POSTHASTE_MAIL_FROM. */
  readonly mailFrom: string;
  /** Rules by which topics belong to applications: POSTHASTE_TOPIC_APPLICATIONS. */
  readonly topicApplications: readonly string[];
  /** Time after which events are dropped from the log, in ms: POSTHASTE_EVENT_RETENTION. */
  readonly eventRetentionMs: number;
  /** Time after which entries of the audit log are deleted, in ms: POSTHASTE_AUDIT_RETENTION. */
  readonly auditRetentionMs: number;
}

/** Dependencies of `Housekeeping`. */
export interface HousekeepingDeps {
  readonly db: Database;
  readonly log: PostgresLog;
  readonly logger: MailLogger;
}

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
/** Days for which partitions are created in advance. */
const daysAhead = 7;
const keysPerRun = 5_000;
const auditEntriesPerRun = 1_000;
const replaysPerStep = 200;

/**
 * Periodic work besides deliveries: partitions, retention, replays, mail, the event log, erasures,
 * repairs.
 */
export class Housekeeping {
  readonly #tasks: PeriodicTasks;
  readonly #mailer: SmtpMailer | undefined;
  readonly #erasures: ErasureRunner;

  constructor({ db, log, logger }: HousekeepingDeps, options: HousekeepingOptions) {
    const { smtpUrl, mailFrom } = options;
    this.#mailer = smtpUrl === undefined ? undefined : createMailer(smtpUrl, mailFrom);
    const topicRules = parseTopicRules(options.topicApplications);
    this.#erasures = new ErasureRunner(
      db,
      createErasingStages({ ownerOf: (topic) => topicRules.ownerOf(topic) }),
    );
    this.#tasks = new PeriodicTasks(
      [
        ...callbackTasks(db, options),
        logTask(log, options),
        auditTask(db, options),
        ...mailTasks({ db, mailer: this.#mailer, logger }, options),
        ...applicationTasks(db, this.#erasures, options),
      ],
      logger,
    );
  }

  /** Waits for the tasks that are running. */
  async close(): Promise<void> {
    this.#erasures.close();
    await this.#tasks.close();
    this.#mailer?.close();
  }
}

function callbackTasks(db: Database, options: HousekeepingOptions): PeriodicTask[] {
  return [
    {
      name: 'create partitions',
      everyMs: hour,
      run: async () => void (await ensurePartitions(db, { daysAhead })),
    },
    {
      name: 'drop expired callbacks',
      everyMs: hour,
      run: async () => (await dropExpired(db, options)).more,
    },
    {
      name: 'delete expired idempotency keys',
      everyMs: hour,
      async run() {
        const retentionHours = options.idempotencyMs / hour;
        const deleted = await forgetIdempotencyKeys(db, { retentionHours, maxRows: keysPerRun });
        return deleted === keysPerRun;
      },
    },
    {
      name: 'delete expired secrets',
      everyMs: hour,
      run: async () => void (await removeExpiredSecrets(db)),
    },
    {
      name: 'replay callbacks',
      everyMs: second,
      run: async () => (await stepReplay(db, replaysPerStep)) !== undefined,
    },
    {
      name: 'reconcile queues and holds',
      everyMs: 5 * second,
      async run() {
        await reconcileQueues(db);
        await releaseHeldHeads(db);
        return false;
      },
    },
  ];
}

function applicationTasks(
  db: Database,
  erasures: ErasureRunner,
  options: UsageOptions,
): PeriodicTask[] {
  const retentions = new ApplicationRetentions(db);
  return [
    { name: 'erase', everyMs: second, run: () => erasures.run() },
    {
      name: 'drop callbacks past the retention of their application',
      everyMs: minute,
      run: () => retentions.run(),
    },
    {
      name: 'measure the usage of applications',
      everyMs: 5 * second,
      run: async () => void (await measureUsage(db, options)),
    },
  ];
}

/** The log is dropped in segments of time: it keeps seven of them and the one that is written to. */
function logTask(
  log: PostgresLog,
  { eventRetentionMs: retentionMs }: HousekeepingOptions,
): PeriodicTask {
  const segmentMs = Math.min(day, retentionMs / 7);
  return {
    name: 'maintain the event log',
    everyMs: 5 * minute,
    run: async () => (await log.maintain({ segmentMs, retentionMs })).busy,
  };
}

function auditTask(
  db: Database,
  { auditRetentionMs: retentionMs }: HousekeepingOptions,
): PeriodicTask {
  const maxRows = auditEntriesPerRun;
  return {
    name: 'delete old entries of the audit log',
    everyMs: hour,
    run: async () => (await deleteOldEntries(db, { retentionMs, maxRows })) === maxRows,
  };
}
