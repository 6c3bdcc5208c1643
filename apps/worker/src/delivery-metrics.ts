import type { DispatcherObserver } from '@posthaste/callbacks';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Logger for errors of the dispatcher, such as pino's. */
export interface DeliveryLogger {
  warn(fields: object, message: string): void;
}

/**
 * Creates an observer of the dispatcher that keeps metrics in `registry`:
 * `posthaste_callback_attempts_total`, `…_attempt_duration_seconds`, `…_delivery_latency_seconds`
 * (accepted to delivered), `…_claim_duration_seconds`, `…_leases_lost_total`,
 * `…_leases_taken_over_total`, `…_in_flight`.
 */
export function observeDeliveries(
  registry: Registry,
  logger: DeliveryLogger,
  inFlight: () => number,
): DispatcherObserver {
  const registers = [registry];
  // Counted here and copied when metrics are read: looking up a label costs more than counting.
  const outcomes = new Map<string, number>();
  new Counter({
    name: 'posthaste_callback_attempts_total',
    help: 'Attempts by outcome: delivered, or the reason of the failure.',
    labelNames: ['outcome'],
    registers,
    collect() {
      this.reset();
      for (const [outcome, count] of outcomes) this.inc({ outcome }, count);
    },
  });
  const duration = new Histogram({
    name: 'posthaste_callback_attempt_duration_seconds',
    help: 'Time of one attempt, from name resolution to the end of the response.',
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60],
    registers,
  });
  const latency = new Histogram({
    name: 'posthaste_callback_delivery_latency_seconds',
    help: 'Time from the acceptance of a callback to its delivery, including waits and retries.',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 10, 60, 600, 3_600],
    registers,
  });
  const claims = new Histogram({
    name: 'posthaste_callback_claim_duration_seconds',
    help: 'Time of one query that leased deliveries.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1],
    registers,
  });
  const lost = new Counter({
    name: 'posthaste_callback_leases_lost_total',
    help: 'Results that were dropped because another worker had taken over the lease.',
    registers,
  });
  const takenOver = new Counter({
    name: 'posthaste_callback_leases_taken_over_total',
    help: 'Expired leases that were taken over from other workers.',
    registers,
  });
  new Gauge({
    name: 'posthaste_callback_in_flight',
    help: 'Attempts in flight.',
    registers,
    collect() {
      this.set(inFlight());
    },
  });
  return {
    claimed: (_count, durationMs) => claims.observe(durationMs / 1_000),
    attempted(delivery, attempt) {
      const outcome = attempt.reason ?? 'delivered';
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      const seconds = Number(attempt.durationNs) / 1e9;
      duration.observe(seconds);
      if (attempt.reason !== undefined) return;
      latency.observe((attempt.startedAtMs - delivery.createdAtMs) / 1_000 + seconds);
    },
    leasesLost: (count) => lost.inc(count),
    leasesExpired: (count) => takenOver.inc(count),
    error: (error, operation) => logger.warn({ err: error }, `${operation} failed`),
  };
}
