import type { PlatformError } from '@posthaste/contracts';
import type { Logger } from 'pino';

/** Time between two lines of the same outage, in ms. */
const repeatMs = 60_000;

interface Outage {
  readonly startedAt: number;
  writtenAt: number;
}

/**
 * Log lines about requests to Kafka that fail and are repeated. While Kafka is away, every partition
 * of every topic fails again and again: there is one line when that begins, one a minute, and one when
 * it answers for all topics again. A failure of another kind, such as a topic that may not be written,
 * has one line of its own for its topic.
 */
export class RelayFailureLog {
  readonly #logger: Pick<Logger, 'error' | 'info'>;
  readonly #now: () => number;
  /** Topics that fail because Kafka is away. */
  readonly #waiting = new Set<string>();
  /** Topics that fail for a reason of their own. */
  readonly #failing = new Set<string>();
  #outage: Outage | undefined;

  /** @param now monotonic clock, in ms */
  constructor(logger: Pick<Logger, 'error' | 'info'>, now = (): number => performance.now()) {
    this.#logger = logger;
    this.#now = now;
  }

  /** A request for the topic failed; it is tried again. */
  failed(topic: string, error: PlatformError): void {
    if (error.retryable) {
      this.#countOutage(topic, error);
      return;
    }
    this.#reached(topic);
    if (this.#failing.has(topic)) return;
    this.#failing.add(topic);
    const text = 'the relay cannot publish a topic to Kafka; it tries again until it can';
    this.#logger.error({ err: error, topic }, text);
  }

  /** A request for the topic succeeded. */
  published(topic: string): void {
    if (this.#failing.delete(topic)) {
      this.#logger.info({ topic }, 'the relay publishes a topic to Kafka again');
    }
    this.#reached(topic);
  }

  /** Kafka has answered, be it with a refusal. The outage ends with the last topic that waits. */
  #reached(topic: string): void {
    if (!this.#waiting.delete(topic) || this.#waiting.size > 0 || !this.#outage) return;
    const seconds = secondsBetween(this.#outage.startedAt, this.#now());
    this.#outage = undefined;
    this.#logger.info({}, `the relay reaches Kafka again, after ${seconds} s`);
  }

  #countOutage(topic: string, { code, message }: PlatformError): void {
    this.#waiting.add(topic);
    const now = this.#now();
    const advice = `it tries again until it can: ${message}`;
    if (!this.#outage) {
      this.#outage = { startedAt: now, writtenAt: now };
      this.#logger.error({ code, topic }, `the relay cannot publish to Kafka; ${advice}`);
    } else if (now - this.#outage.writtenAt >= repeatMs) {
      this.#outage.writtenAt = now;
      const seconds = secondsBetween(this.#outage.startedAt, now);
      const topics = this.#waiting.size;
      const text = `the relay cannot publish to Kafka for ${seconds} s now; ${advice}`;
      this.#logger.error({ code, topics }, text);
    }
  }
}

function secondsBetween(from: number, to: number): number {
  return Math.round((to - from) / 1_000);
}
