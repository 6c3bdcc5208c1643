import { createSubscriptionConsumer, EventFanout } from '@posthaste/callbacks';
import { type PostgresLog, parseTopicRules } from '@posthaste/eventstream';
import type { Database } from '@posthaste/postgres';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { WorkerConfig } from './config.js';
import { openEventOutbox } from './event-outbox.js';
import { createLogEventSource } from './log-event-source.js';
import { toKafkaOptions } from './relay/kafka-options.js';
import { Relay } from './relay/relay.js';
import { measureLag, observeRelay, observeSubscriptions } from './stream-metrics.js';

/** Dependencies of `startEventStreams`. */
export interface EventStreamsDeps {
  readonly config: WorkerConfig;
  /** Needs `callbacksMigrations` and `eventstreamMigrations`. */
  readonly db: Database;
  readonly registry: Registry;
  readonly logger: Logger;
}

/** Running consumers of the event log: subscriptions, and the relay to Kafka. */
export interface EventStreams {
  readonly log: PostgresLog;
  /** Relay to Kafka, when brokers are configured. */
  readonly relay: Pick<Relay, 'check'> | undefined;
  /** Finishes work in progress, within a few seconds. Idempotent. */
  close(): Promise<void>;
}

/**
 * Starts to turn events of the log into callbacks of subscriptions and, when brokers are configured,
 * to publish the log to Kafka.
 */
export async function startEventStreams(deps: EventStreamsDeps): Promise<EventStreams> {
  const { config, db, registry, logger } = deps;
  const outbox = await openEventOutbox(deps);
  const { log, events } = outbox;
  const observer = observeSubscriptions(registry, logger);
  const fanout = new EventFanout({
    db,
    events,
    filterLimits: {
      maxWork: config.filterMaxWork,
      timeoutMs: config.filterTimeoutMs,
      msPerSecond: config.filterMsPerSecond,
    },
    onFilterFaults: observer.filterFaults,
  });
  const consumer = createSubscriptionConsumer({
    db,
    source: createLogEventSource({
      log,
      observer,
      topicRules: parseTopicRules(config.topicApplications),
      defaultApplication: config.defaultApplication,
    }),
    fanout,
    observer,
  });
  const unwatch = log.watchAll(() => consumer.notify());
  const relay = await startRelay(log, deps);
  measureLag(registry, log, logger);
  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    unwatch();
    await Promise.all([consumer.close().then(() => fanout.close()), relay?.close()]);
    await outbox.close();
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
  // Loaded only when it is needed, because the client library takes memory.
  const { createKafkaDriver } = await import('@posthaste/eventstream/kafka');
  logger.info({ brokers: config.kafkaBrokers }, 'the event log is published to Kafka');
  return new Relay({
    log,
    kafka: createKafkaDriver(toKafkaOptions(config, logger)),
    prefix: config.kafkaPrefix,
    observer: observeRelay(registry, logger),
  });
}
