import { PlatformError } from '@posthaste/contracts';
import { expect } from 'vitest';
import { Consumers } from '../src/consume/consumers.js';
import type { ConsumeObserver } from '../src/consume/observer.js';
import type {
  EventCallback,
  RawCallback,
  Registration,
  RegistrationHandler,
} from '../src/consume/registration.js';
import { decodeRecord } from '../src/envelope/decode-record.js';
import type { StoredRecord } from '../src/record.js';
import {
  createManualAppender,
  createManualDriver,
  type ManualAppender,
  type ManualSubscription,
} from './manual-driver.js';
import { until } from './until.js';

/** Observer that keeps each call as a short text. */
export interface Reports extends ConsumeObserver {
  readonly lines: string[];
}

function createReports(): Reports {
  const lines: string[] = [];
  const messageOf = (error: unknown): string =>
    error instanceof Error ? error.message : String(error);
  return {
    lines,
    finished: (_consumer, record, outcome) => lines.push(`${record.offset} ${outcome}`),
    callFailed: (_consumer, { record, attempt, error }) =>
      lines.push(`${record.offset} attempt ${attempt}: ${messageOf(error)}`),
    partitionBlocked: (_consumer, { record, topic, error }) =>
      lines.push(`${record.offset} blocked for ${topic}: ${messageOf(error)}`),
    partitionUnblocked: (_consumer, record) => lines.push(`${record.offset} unblocked`),
    recordsLost: (_consumer, { partition, from, to }) =>
      lines.push(`lost ${from} to ${to} of partition ${partition}`),
    commitFailed: (_consumer, error) => lines.push(`commit failed: ${messageOf(error)}`),
    interrupted: (_consumer, error) => lines.push(`interrupted: ${messageOf(error)}`),
  };
}

/** Consumers with all that they are connected to. */
export interface Consuming {
  readonly consumers: Consumers;
  readonly subscriptions: readonly ManualSubscription[];
  /** The first subscription. */
  readonly main: ManualSubscription;
  readonly appender: ManualAppender;
  readonly reports: Reports;
  /** Delivers records of one partition to the first subscription. */
  deliver(records: readonly StoredRecord[], partition?: number): Promise<void>;
}

/** Starts consumers on a driver that the test controls. */
export function startConsuming(): Consuming {
  const driver = createManualDriver();
  const appender = createManualAppender();
  const reports = createReports();
  const consumers = new Consumers({
    driver,
    appender,
    decode: decodeRecord,
    observer: reports,
    random: () => 0,
  });
  const main = (): ManualSubscription => {
    const [first] = driver.subscriptions;
    if (!first) throw new PlatformError('INTERNAL', 'nothing was subscribed');
    return first;
  };
  return {
    consumers,
    subscriptions: driver.subscriptions,
    get main() {
      return main();
    },
    appender,
    reports,
    deliver: (records, partition = 0) => main().handler.records(partition, records),
  };
}

const target = { topic: 'game.account', groupId: 'game.mail' };

/** Returns a registration that retries quickly. */
export function registration(
  eventName: string,
  handler: EventCallback | RegistrationHandler,
  fields: Partial<Registration> = {},
): Registration {
  return {
    ...target,
    eventName,
    handler: typeof handler === 'function' ? { kind: 'event', callback: handler } : handler,
    retry: { maxAttempts: 3, initialMs: 2, maxMs: 4 },
    commitIntervalMs: 5,
    ...fields,
  };
}

export function rawHandler(callback: RawCallback): RegistrationHandler {
  return { kind: 'raw', callback };
}

/** Waits until this offset of a partition is committed. */
export async function untilCommitted(
  subscription: ManualSubscription,
  offset: number,
  partition = 0,
): Promise<void> {
  await until(() => expect(subscription.committed.get(partition)).toBe(BigInt(offset)));
}

/** Callback whose calls end when the test ends them. */
export interface ManualCallback {
  readonly callback: EventCallback;
  /** Calls in progress by the event's id, in the order in which they began. */
  readonly pending: Map<string, { done(): void; fail(error: unknown): void; signal: AbortSignal }>;
}

export function createManualCallback(): ManualCallback {
  const pending: ManualCallback['pending'] = new Map();
  const callback: EventCallback = (ctx, event) =>
    new Promise<void>((resolve, reject) => {
      const id = event?.id ?? 'end';
      pending.set(id, {
        signal: ctx.signal,
        done: () => {
          pending.delete(id);
          resolve();
        },
        fail: (error) => {
          pending.delete(id);
          reject(error);
        },
      });
    });
  return { callback, pending };
}
