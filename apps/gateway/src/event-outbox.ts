import {
  type CallbackEventName,
  type CallbackEventSink,
  EventLogSink,
  WantedEvents,
} from '@posthaste/callbacks';
import { PostgresLog } from '@posthaste/eventstream';
import type { Database } from '@posthaste/postgres';
import type { Logger } from 'pino';

export interface EventOutboxDeps {
  /** Needs `callbacksMigrations` and `eventstreamMigrations`. May be away. */
  readonly db: Database;
  /** What is told whatever the subscriptions: `POSTHASTE_CALLBACK_EVENTS`. */
  readonly callbackEvents: readonly (CallbackEventName | 'all')[];
  readonly logger: Logger;
}

/** How the event log is told of what the gateway accepts. */
export interface EventOutbox {
  readonly events: CallbackEventSink;
  /** After what it is told of has ended. The database stays open. */
  close(): Promise<void>;
}

export function startEventOutbox({
  db,
  callbackEvents: always,
  logger,
}: EventOutboxDeps): EventOutbox {
  const log = new PostgresLog({ db });
  const onError = (err: unknown): void => {
    logger.warn({ err }, 'subscriptions to events about callbacks cannot be read');
  };
  const interest = new WantedEvents({ db, always, onError });
  interest.start().catch(onError);
  return {
    events: new EventLogSink({ log, wants: interest.wants }),
    async close() {
      await interest.close();
      await log.close();
    },
  };
}
