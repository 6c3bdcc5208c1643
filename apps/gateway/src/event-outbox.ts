import type { AuditEventSink } from '@posthaste/access';
import {
  type CallbackEventName,
  type CallbackEventSink,
  EventLogSink,
  WantedEvents,
} from '@posthaste/callbacks';
import { PostgresLog } from '@posthaste/eventstream';
import type { Database } from '@posthaste/postgres';
import type { Logger } from 'pino';

/** Dependencies of the event outbox. */
export interface EventOutboxDeps {
  /** Needs `callbacksMigrations` and `eventstreamMigrations`. May be unavailable at the start. */
  readonly db: Database;
  /** Events that are emitted even without a subscription: `POSTHASTE_CALLBACK_EVENTS`. */
  readonly callbackEvents: readonly (CallbackEventName | 'all')[];
  readonly logger: Logger;
}

/** Outbox of events about callbacks: emits events for the callbacks that the gateway accepts. */
export interface EventOutbox {
  readonly events: CallbackEventSink;
  /** Receives the events of the audit log. */
  readonly auditEvents: AuditEventSink;
  /**
   * Stops reading subscriptions. To be called after the last event was emitted. The database stays
   * open.
   */
  close(): Promise<void>;
}

/** Starts the event outbox: reads which events subscriptions want, and keeps that up to date. */
export function startEventOutbox({
  db,
  callbackEvents: always,
  logger,
}: EventOutboxDeps): EventOutbox {
  const log = new PostgresLog({ db });
  const onError = (err: unknown): void => {
    logger.warn({ err }, 'the subscriptions to events about callbacks could not be read');
  };
  const interest = new WantedEvents({ db, always, onError });
  interest.start().catch(onError);
  return {
    events: new EventLogSink({ log, wants: interest.wants }),
    auditEvents: { append: (tx, events) => log.appendEvents(tx, events) },
    async close() {
      await interest.close();
      await log.close();
    },
  };
}
