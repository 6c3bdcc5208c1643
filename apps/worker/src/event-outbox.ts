import { type CallbackEventSink, EventLogSink, WantedEvents } from '@posthaste/callbacks';
import { PostgresLog } from '@posthaste/eventstream';
import type { Database } from '@posthaste/postgres';
import type { Logger } from 'pino';
import type { WorkerConfig } from './config.js';
import { createDisableRecorder } from './disable-recorder.js';

/** Dependencies of `openEventOutbox`. */
export interface EventOutboxDeps {
  readonly config: Pick<WorkerConfig, 'callbackEvents'>;
  /** Needs `workerMigrations`. */
  readonly db: Database;
  readonly logger: Logger;
}

/** Event log, with the sink that writes events about callbacks to it. */
export interface EventOutbox {
  readonly log: PostgresLog;
  readonly events: CallbackEventSink;
  /** Closes log and sink. The database stays open. */
  close(): Promise<void>;
}

/**
 * Opens the outbox. Resolves when the subscriptions are read, and so the wanted events are known.
 * @throws PlatformError `DATABASE_*` when the database cannot be reached
 */
export async function openEventOutbox({
  config,
  db,
  logger,
}: EventOutboxDeps): Promise<EventOutbox> {
  const log = new PostgresLog({ db });
  const wanted = new WantedEvents({
    db,
    always: config.callbackEvents,
    onError: (err) => {
      const message = 'subscriptions to events about callbacks cannot be read; they are read again';
      logger.warn({ err }, message);
    },
  });
  const close = async (): Promise<void> => {
    await wanted.close();
    await log.close();
  };
  const disables = createDisableRecorder({
    append: (tx, events) => log.appendEvents(tx, events),
  });
  const events = new EventLogSink({ log, wants: wanted.wants, disables });
  await Promise.all([wanted.start(), events.start()]).catch(async (error: unknown) => {
    await close();
    throw error;
  });
  return { log, events, close };
}
