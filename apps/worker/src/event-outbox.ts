import { type CallbackEventSink, EventLogSink, WantedEvents } from '@posthaste/callbacks';
import { PostgresLog } from '@posthaste/eventstream';
import type { Database } from '@posthaste/postgres';
import type { Logger } from 'pino';
import type { WorkerConfig } from './config.js';

export interface EventOutboxDeps {
  readonly config: Pick<WorkerConfig, 'callbackEvents'>;
  /** Needs `callbacksMigrations` and `eventstreamMigrations`. */
  readonly db: Database;
  readonly logger: Logger;
}

/** The log, and the way in which it is told of callbacks. */
export interface EventOutbox {
  readonly log: PostgresLog;
  readonly events: CallbackEventSink;
  /** The database stays open. */
  close(): Promise<void>;
}

/** Resolves when it is known which events are wanted. @throws PlatformError `DATABASE_*` */
export async function openEventOutbox({
  config,
  db,
  logger,
}: EventOutboxDeps): Promise<EventOutbox> {
  const log = new PostgresLog({ db });
  const interest = new WantedEvents({
    db,
    always: config.callbackEvents,
    onError: (err) => logger.warn({ err }, 'subscriptions to events of callbacks cannot be read'),
  });
  const close = async (): Promise<void> => {
    await interest.close();
    await log.close();
  };
  const events = new EventLogSink({ log, wants: interest.wants });
  await Promise.all([interest.start(), events.start()]).catch(async (error: unknown) => {
    await close();
    throw error;
  });
  return { log, events, close };
}
