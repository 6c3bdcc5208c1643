import { randomUUID } from 'node:crypto';
import { type OnTestFinishedHandler, vi } from 'vitest';
import type { Client } from '../src/client/client.js';
import type { ClientOptions, KafkaConfig } from '../src/client/client-config.js';

/** Of the topics and groups of all clients of tests. */
export const prefix = 'shop';

/** A stream that clients of tests are on. */
export interface ClientTarget {
  /** A client as users make it. Streams other than Kafka ignore its configuration. */
  open(options: ClientOptions, kafka: KafkaConfig): Promise<Client>;
  /** @param topic as on the wire */
  createTopic(topic: string, partitions: number): Promise<unknown>;
  /** Appends what no client of ours would, to partition 0. @param topic as on the wire */
  append(topic: string, values: readonly string[]): Promise<void>;
}

/** What a test has of the stream; its clients are closed when it is over. */
export interface Stage {
  open(options?: ClientOptions, kafka?: KafkaConfig): Promise<Client>;
  /** @returns the new topic's name without prefix */
  newTopic(partitions?: number): Promise<string>;
  /** Appends what no client of ours would, to partition 0. */
  append(topic: string, values: readonly string[]): Promise<void>;
  until(assertion: () => unknown): Promise<unknown>;
}

/** For a test that hands its own `onTestFinished`: those of others may run beside it. */
export type StartStage = (onTestFinished: (close: OnTestFinishedHandler) => void) => Stage;

/** A name that no other topic or group has. */
export function newTopicName(): string {
  return `orders-${randomUUID()}`;
}

/** @param target asked for when a test begins: it may be opened before all */
export function stageOn(target: () => ClientTarget): StartStage {
  return (onTestFinished) => ({
    async open(options = {}, kafka = {}) {
      const client = await target().open(options, kafka);
      onTestFinished(() => client.close({ drainMs: 1_000 }));
      return client;
    },
    async newTopic(partitions = 1) {
      const topic = newTopicName();
      await target().createTopic(onWire(topic), partitions);
      return topic;
    },
    append: (topic, values) => target().append(onWire(topic), values),
    until: (assertion) => vi.waitFor(assertion, { timeout: 30_000, interval: 20 }),
  });
}

/** The name of a topic or group with the prefix of these clients. */
export function onWire(name: string): string {
  return `${prefix}.${name}`;
}

/** A callback that does nothing but note the ids of its events. */
export function noteIds(ids: string[]): (ctx: unknown, event: { id: string } | null) => unknown {
  return (_ctx, event) => ids.push(`${event?.id}`);
}

/** Publishes events `placed`, one after another and under one key, with these numbers. */
export async function publishNumbers(
  client: Client,
  topic: string,
  ...numbers: readonly number[]
): Promise<void> {
  for (const number of numbers) {
    const id = `${number}`;
    await client.publish({ topic, eventName: 'placed', key: 'order-7', id, payload: { number } });
  }
}
