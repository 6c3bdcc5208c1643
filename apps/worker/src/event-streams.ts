import { createSubscriptionConsumer, EventFanout } from '@posthaste/callbacks';
import type { PostgresLog } from '@posthaste/eventstream';
import type { Database } from '@posthaste/postgres';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { WorkerConfig } from './config.js';
import { openEventOutbox } from './event-outbox.js';
import { createLogEventSource } from './log-event-source.js';
import { toKafkaOptions } from './relay/kafka-options.js';
import { Relay } from './relay/relay.js';
import { measureLag, observeRelay, observeSubscriptions } from './stream-metrics.js';

export interface EventStreamsDeps {
  readonly config: WorkerConfig;
  /** Needs `callbacksMigrations` and `eventstreamMigrations`. */
  readonly db: Database;
  readonly registry: Registry;
  readonly logger: Logger;
}

/** What a worker does with the event log, until it is closed. */
export interface EventStreams {
  readonly log: PostgresLog;
  /** The relay to Kafka, when there is one. */
  readonly relay: Pick<Relay, 'check'> | undefined;
  /** Finishes what is in hand, within a few seconds. Idempotent. */
  close(): Promise<void>;
}

/** Serves subscriptions from the log, and publishes it to Kafka where brokers are configured. */
export async function startEventStreams(deps: EventStreamsDeps): Promise<EventStreams> {
  const { db, registry, logger } = deps;
  const telling = await openEventOutbox(deps);
  const { log, events } = telling;
  const observer = observeSubscriptions(registry, logger);
  const consumer = createSubscriptionConsumer({
    db,
    source: createLogEventSource(log, observer),
    fanout: new EventFanout({ db, events }),
    observer,
  });
  const unwatch = log.watchAll(() => consumer.notify());
  const relay = await startRelay(log, deps);
  measureLag(registry, log, logger);
  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    unwatch();
    await Promise.all([consumer.close(), relay?.close()]);
    await telling.close();
  };
  return {
    log,
    relay,
    close() {
      closed ??= close();
      return closed;
    },
  };
}

async function startRelay(
  log: PostgresLog,
  { config, registry, logger }: EventStreamsDeps,
): Promise<Relay | undefined> {
  if (config.kafkaBrokers.length === 0) return undefined;
  // Loaded where it is needed: the client library takes memory.
  const { createKafkaDriver } = await import('@posthaste/eventstream/kafka');
  logger.info({ brokers: config.kafkaBrokers }, 'the event log is published to Kafka');
  return new Relay({
    log,
    kafka: createKafkaDriver(toKafkaOptions(config, logger)),
    prefix: config.kafkaPrefix,
    observer: observeRelay(registry, logger),
  });
}
