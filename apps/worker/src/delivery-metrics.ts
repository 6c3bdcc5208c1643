import type { DispatcherObserver } from '@posthaste/callbacks';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Where errors of the dispatcher go. pino's logger fits. */
export interface DeliveryLogger {
  warn(fields: object, message: string): void;
}

/**
 * What the dispatcher tells, as metrics on `registry`:
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
  // Counted here and handed over when they are read: looking up a label costs more than counting.
  const outcomes = new Map<string, number>();
  new Counter({
    name: 'posthaste_callback_attempts_total',
    help: 'Attempts by their outcome: delivered, or the reason of the failure.',
    labelNames: ['outcome'],
    registers,
    collect() {
      this.reset();
      for (const [outcome, count] of outcomes) this.inc({ outcome }, count);
    },
  });
  const duration = new Histogram({
    name: 'posthaste_callback_attempt_duration_seconds',
    help: 'Time of one attempt, from the name resolution to the end of the answer.',
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60],
    registers,
  });
  const latency = new Histogram({
    name: 'posthaste_callback_delivery_latency_seconds',
    help: 'From a callback being accepted to its delivery, waits and retries included.',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 10, 60, 600, 3_600],
    registers,
  });
  const claims = new Histogram({
    name: 'posthaste_callback_claim_duration_seconds',
    help: 'Time of one claim that found work.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1],
    registers,
  });
  const lost = new Counter({
    name: 'posthaste_callback_leases_lost_total',
    help: 'Results that were dropped, because another worker had taken the lease over.',
    registers,
  });
  const takenOver = new Counter({
    name: 'posthaste_callback_leases_taken_over_total',
    help: 'Leases of vanished workers that were taken over.',
    registers,
  });
  new Gauge({
    name: 'posthaste_callback_in_flight',
    help: 'Attempts under way.',
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
