import { randomUUID } from 'node:crypto';
import { PlatformError } from '@posthaste/contracts';
import { test, vi } from 'vitest';
import type { AppendRequest, Driver } from '../src/driver.js';

/** Stream on which the suite runs. */
export interface ConformanceTarget {
  /** Opens a connection of its own, as another process would. */
  connect(): Driver | Promise<Driver>;
  createTopic(topic: string, partitions: number): Promise<void>;
  /** Size of a record that is refused, in bytes. */
  readonly tooLargeBytes: number;
  /** Time without a heartbeat after which a consumer is removed from its group, in ms. */
  readonly sessionMs: number;
  /** Longest wait for an expected change, in ms. */
  readonly settleMs: number;
  close(): Promise<void>;
}

/** Connections and topics of one test. The connections are closed after the test. */
export interface Conformance {
  /** Opens another connection. */
  readonly connect: () => Promise<Driver>;
  /** Creates a topic. */
  readonly newTopic: (partitions: number, name?: string) => Promise<string>;
  /** Waits until the assertion holds, up to `settleMs` of the target. */
  readonly until: (assertion: () => unknown) => Promise<unknown>;
}

/** `it`, whose tests get connections and topics. */
export type ConformanceTest = ReturnType<typeof conformanceTest>;

/** Returns `it` for tests on a target, which get connections and topics. */
export function conformanceTest(target: () => ConformanceTarget) {
  return test
    .extend('connect', async ({ onTestFinished }): Promise<Conformance['connect']> => {
      const drivers: Driver[] = [];
      onTestFinished(async () => {
        await Promise.all(drivers.map((driver) => driver.close()));
      });
      return async () => {
        const driver = await target().connect();
        drivers.push(driver);
        return driver;
      };
    })
    .extend(
      'newTopic',
      (): Conformance['newTopic'] =>
        async (partitions, topic = `t-${randomUUID()}`) => {
          await target().createTopic(topic, partitions);
          return topic;
        },
    )
    .extend(
      'until',
      (): Conformance['until'] => (assertion) =>
        vi.waitFor(assertion, { timeout: target().settleMs, interval: 10 }),
    );
}

/** Returns the group of a topic. Each test has its own topic, and so its own group. */
export function groupOf(topic: string): string {
  return `group-${topic}`;
}

/** Longest time until a new topic is ready for appends, in ms. */
const readyMs = 15_000;

const notReady: readonly string[] = ['STREAM_UNAVAILABLE', 'EVENT_OUTCOME_UNKNOWN'];

/**
 * Appends records, and tries again while the stream is not ready, as publishers do. It also tries
 * again after an unknown outcome: a broker reports it until it knows that it leads a new partition.
 */
export async function appendTo(
  driver: Driver,
  request: Omit<AppendRequest, 'timeoutMs'>,
): Promise<void> {
  const endMs = performance.now() + readyMs;
  for (;;) {
    try {
      return await driver.append({ ...request, timeoutMs: 10_000 });
    } catch (error) {
      const isNotReady = error instanceof PlatformError && notReady.includes(error.code);
      if (!isNotReady || performance.now() > endMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
