import type { ConsumerObserver, OnFilterFaults } from '@posthaste/callbacks';
import type { PostgresLog } from '@posthaste/eventstream';
import type { Logger } from 'pino';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { LogSourceObserver } from './log-event-source.js';
import { RelayFailureLog } from './relay/relay-failure-log.js';
import type { RelayObserver } from './relay/relay-observer.js';

/** Registers `posthaste_log_lag_events`, the lag of each consumer group, read when metrics are. */
export function measureLag(registry: Registry, log: PostgresLog, logger: Logger): void {
  new Gauge({
    name: 'posthaste_log_lag_events',
    help: 'Events of the log that a consumer group has not read yet.',
    labelNames: ['topic', 'group'],
    registers: [registry],
    async collect() {
      this.reset();
      try {
        let cursor: string | undefined;
        do {
          const page = await log.listGroups({ within: 'all', limit: 500, cursor });
          for (const { topic, groupId: group, partitions } of page.groups) {
            const lag = partitions.reduce((sum, partition) => sum + partition.lag, 0n);
            this.set({ topic, group }, Number(lag));
          }
          cursor = page.next;
        } while (cursor !== undefined);
      } catch (err) {
        // Without this metric, the others are still useful.
        logger.warn({ err }, 'the lag of consumer groups of the event log cannot be read');
      }
    },
  });
}

/** Subscriptions that a line of the log names. */
const maxLoggedSubscriptions = 10;

/** Observer of everything that turns events into callbacks. */
export interface SubscriptionObserver extends ConsumerObserver, LogSourceObserver {
  readonly filterFaults: OnFilterFaults;
}

/**
 * Creates an observer of subscriptions that logs and keeps metrics: `posthaste_subscription_events_total`,
 * `…_callbacks_total`, `…_failures_total`, `…_unreadable_total`, `…_skipped_total`,
 * `…_filter_faults_total`.
 */
export function observeSubscriptions(registry: Registry, logger: Logger): SubscriptionObserver {
  const counter = (name: string, help: string): Counter =>
    new Counter({ name: `posthaste_subscription_${name}_total`, help, registers: [registry] });
  const events = counter('events', 'Events of the log that were read for subscriptions.');
  const callbacks = counter('callbacks', 'Callbacks that were created for events.');
  const failures = counter('failures', 'Batches of events that failed and were tried again.');
  const unreadable = counter('unreadable', 'Records of the log that are not events.');
  const skipped = counter(
    'skipped',
    'Events that were dropped by retention before they were read.',
  );
  const faults = new Counter({
    name: 'posthaste_subscription_filter_faults_total',
    help: 'Events that were not delivered for a subscription because its filter is faulty.',
    labelNames: ['code'],
    registers: [registry],
  });
  return {
    filterFaults(all, newFaults) {
      for (const { code } of all) faults.inc({ code });
      // One line for an application, however many subscriptions it has.
      for (const [application, found] of Map.groupBy(newFaults, (fault) => fault.application)) {
        const subscriptions = found.slice(0, maxLoggedSubscriptions);
        const { code, message, eventId } = subscriptions[0] ?? {};
        const ids = subscriptions.map(({ subscriptionId }) => subscriptionId);
        logger.warn(
          { application, code, eventId, subscriptions: ids, count: found.length },
          `an event is not delivered for a subscription because of its filter: ${message}`,
        );
      }
    },
    consumed(count, created) {
      events.inc(count);
      callbacks.inc(created);
    },
    failed(err, retryInMs) {
      failures.inc();
      logger.warn(
        { err, retryInMs },
        'events could not be turned into callbacks; they are tried again',
      );
    },
    unreadable({ topic, partition, offset }, err) {
      unreadable.inc();
      const position = { topic, partition, offset: String(offset) };
      logger.warn(
        { err, ...position },
        'a record of the log is not an event; subscriptions skip it',
      );
    },
    skipped({ topic, partition, from, to }) {
      skipped.inc(Number(to - from));
      const range = { topic, partition, from: String(from), to: String(to) };
      logger.error(range, 'events were dropped by retention before subscriptions had read them');
    },
  };
}

/**
 * Creates an observer of the relay that logs and keeps metrics: `posthaste_relay_records_total`,
 * `…_request_duration_seconds`, `…_failures_total`, `…_refused_total`, `…_skipped_total`.
 */
export function observeRelay(registry: Registry, logger: Logger): RelayObserver {
  const counter = (name: string, help: string, label: 'topic' | 'code'): Counter =>
    new Counter({
      name: `posthaste_relay_${name}_total`,
      help,
      labelNames: [label],
      registers: [registry],
    });
  const records = counter('records', 'Records of the log that Kafka has acknowledged.', 'topic');
  const failures = counter('failures', 'Requests to Kafka that failed and were repeated.', 'code');
  const refused = counter('refused', 'Records and topics that Kafka refuses for good.', 'code');
  const skipped = counter(
    'skipped',
    'Records that were dropped by retention before they were read.',
    'topic',
  );
  const durations = new Histogram({
    name: 'posthaste_relay_request_duration_seconds',
    help: 'Time of one request to Kafka that succeeded.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5],
    registers: [registry],
  });
  const log = new RelayFailureLog(logger);
  return {
    published(topic, count, durationMs) {
      records.inc({ topic }, count);
      durations.observe(durationMs / 1_000);
      log.published(topic);
    },
    failed(topic, err) {
      failures.inc({ code: err.code });
      log.failed(topic, err);
    },
    refused({ topic, partition, offset }, err) {
      refused.inc({ code: err.code });
      const position = { topic, partition, offset: offset?.toString() };
      logger.error({ err, ...position }, 'Kafka refuses this for good; the relay leaves it out');
    },
    skipped({ topic, partition }, count) {
      skipped.inc({ topic }, Number(count));
      const fields = { topic, partition, records: String(count) };
      logger.error(fields, 'records were dropped by retention before the relay had read them');
    },
    interrupted: (topic, err) =>
      logger.warn(
        { err, topic },
        'the relay cannot read the log or commit offsets; it tries again',
      ),
  };
}
