import { PlatformError } from '@posthaste/contracts';
import { expect, vi } from 'vitest';
import { Consumers } from '../src/consume/consumers.js';
import type { ConsumeObserver } from '../src/consume/observer.js';
import type {
  EventCallback,
  RawCallback,
  Registration,
  RegistrationHandler,
} from '../src/consume/registration.js';
import { decodeEnvelope } from '../src/envelope/decode.js';
import type { StoredRecord } from '../src/record.js';
import {
  createHandedAppender,
  createHandedDriver,
  type HandedAppender,
  type HandedSubscription,
} from './handed-driver.js';

/** Everything an observer was told, as short texts. */
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
    commitFailed: (_consumer, error) => lines.push(`commit failed: ${messageOf(error)}`),
    interrupted: (_consumer, error) => lines.push(`interrupted: ${messageOf(error)}`),
  };
}

export interface Consuming {
  readonly consumers: Consumers;
  readonly subscriptions: readonly HandedSubscription[];
  /** The first subscription. */
  readonly main: HandedSubscription;
  readonly appender: HandedAppender;
  readonly reports: Reports;
  /** Gives records of one partition to the first subscription. */
  give(records: readonly StoredRecord[], partition?: number): Promise<void>;
}

/** Consumers on a driver that the test plays. */
export function startConsuming(): Consuming {
  const driver = createHandedDriver();
  const appender = createHandedAppender();
  const reports = createReports();
  const consumers = new Consumers({
    driver,
    appender,
    decode: decodeEnvelope,
    observer: reports,
    random: () => 0,
  });
  const main = (): HandedSubscription => {
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
    give: (records, partition = 0) => main().handler.records(partition, records),
  };
}

const target = { topic: 'game.account', groupId: 'game.mail' };

/** A registration that retries quickly. */
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

/** Waits until the position of a partition is stored. */
export async function untilCommitted(
  subscription: HandedSubscription,
  offset: number,
  partition = 0,
): Promise<void> {
  await vi.waitFor(() => expect(subscription.committed.get(partition)).toBe(BigInt(offset)));
}

/** A callback that stays in its calls until the test lets them go. */
export interface HeldCallback {
  readonly callback: EventCallback;
  /** Ids of the events of calls in progress, in the order in which they began. */
  readonly held: Map<string, { done(): void; fail(error: unknown): void; signal: AbortSignal }>;
}

export function holdCallback(): HeldCallback {
  const held: HeldCallback['held'] = new Map();
  const callback: EventCallback = (ctx, event) =>
    new Promise<void>((resolve, reject) => {
      const id = event?.id ?? 'end';
      held.set(id, {
        signal: ctx.signal,
        done: () => {
          held.delete(id);
          resolve();
        },
        fail: (error) => {
          held.delete(id);
          reject(error);
        },
      });
    });
  return { callback, held };
}
