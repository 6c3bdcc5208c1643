import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { RealtimeCounts } from './server-options.js';

/** Upper bounds in seconds: from one turn of the event loop to what no human waits for. */
const durationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** Publishes whose delivery is timed at once. More are not timed. */
const maxTimed = 10_000;

/** Metrics of a server. Counters are read when somebody asks for them. */
export class RealtimeMetrics {
  readonly #publishes: Counter<'namespace'>;
  readonly #refused: Counter;
  readonly #dropped: Counter<'namespace'>;
  readonly #latency: Histogram;
  /** Beginnings of publishes on their way, by the id of their first event, as of `performance.now`. */
  readonly #startedAt = new Map<string, number>();

  /** @param registry one that has none of the names yet */
  constructor(
    private readonly registry: Registry,
    counts: () => RealtimeCounts,
  ) {
    this.#publishes = this.#counter('publishes', 'Publishes that were accepted.');
    this.#refused = new Counter({
      name: 'posthaste_realtime_publishes_refused_total',
      help: 'Publishes that were refused as a whole.',
      registers: [registry],
    });
    this.#dropped = this.#counter('events_dropped', 'Events that a handler left out.');
    this.#latency = new Histogram({
      name: 'posthaste_realtime_delivery_seconds',
      help: 'Time from a publish until its frames are given to the sockets of this process.',
      buckets: durationBuckets,
      registers: [registry],
    });
    this.#gauge('connections', 'Open WebSocket connections.', () => counts().connections);
    this.#gauge(
      'subscriptions',
      'Subscriptions of open connections.',
      () => counts().subscriptions,
    );
    this.#total('messages', 'Data frames for subscribers.', () => counts().messages);
    this.#total('slow_consumers', 'Connections closed with 1013.', () => counts().slowConsumers);
    this.#total('sent_bytes', 'Bytes written to WebSockets.', () => counts().bytesOut);
  }

  onAccepted(namespace: string, dropped: number): void {
    this.#publishes.inc({ namespace });
    if (dropped > 0) this.#dropped.inc({ namespace }, dropped);
  }

  onRefused(): void {
    this.#refused.inc();
  }

  /** Begins to time the publish whose first event has this id. */
  onSent(id: string): void {
    if (this.#startedAt.size < maxTimed) this.#startedAt.set(id, performance.now());
  }

  /** Returns the beginning of a publish of this process, once. */
  takeStart(id: string): number | undefined {
    const startedAt = this.#startedAt.get(id);
    this.#startedAt.delete(id);
    return startedAt;
  }

  onWritten(startedAt: number): void {
    this.#latency.observe((performance.now() - startedAt) / 1_000);
  }

  #counter(name: string, help: string): Counter<'namespace'> {
    return new Counter({
      name: `posthaste_realtime_${name}_total`,
      help,
      labelNames: ['namespace'],
      registers: [this.registry],
    });
  }

  #gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name: `posthaste_realtime_${name}`,
      help,
      registers: [this.registry],
      collect() {
        this.set(read());
      },
    });
  }

  #total(name: string, help: string, read: () => number): void {
    new Counter({
      name: `posthaste_realtime_${name}_total`,
      help,
      registers: [this.registry],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  }
}
