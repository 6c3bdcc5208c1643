import { randomUUID } from 'node:crypto';
import { type OnTestFinishedHandler, vi } from 'vitest';
import type { Client } from '../src/client/client.js';
import type { ClientOptions, KafkaConfig } from '../src/client/client-config.js';

/** Prefix of topics and groups of all clients. */
export const prefix = 'shop';

/** Stream for the clients of tests. */
export interface ClientTarget {
  /** Opens a client as users do. Streams other than Kafka ignore `kafka`. */
  open(options: ClientOptions, kafka: KafkaConfig): Promise<Client>;
  /** @param topic as on the wire */
  createTopic(topic: string, partitions: number): Promise<unknown>;
  /** Appends any values to partition 0. @param topic as on the wire */
  append(topic: string, values: readonly string[]): Promise<void>;
}

/** Clients and topics of one test. The clients are closed after the test. */
export interface ClientFixture {
  /** Opens a client. */
  open(options?: ClientOptions, kafka?: KafkaConfig): Promise<Client>;
  /** Creates a topic. @returns its name without prefix */
  newTopic(partitions?: number): Promise<string>;
  /** Appends any values to partition 0. */
  append(topic: string, values: readonly string[]): Promise<void>;
  /** Waits up to 30 s until the assertion holds. */
  until(assertion: () => unknown): Promise<unknown>;
}

/**
 * Creates the fixture of a test, which passes its own `onTestFinished`, because tests may run
 * concurrently.
 */
export type StartClientFixture = (
  onTestFinished: (close: OnTestFinishedHandler) => void,
) => ClientFixture;

/** Returns a name that no other topic or group has. */
export function newTopicName(): string {
  return `orders-${randomUUID()}`;
}

/** Returns the function that creates fixtures. @param target called when a test needs it */
export function clientFixtureOn(target: () => ClientTarget): StartClientFixture {
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

/** Returns the name of a topic or group with the prefix of these clients. */
export function onWire(name: string): string {
  return `${prefix}.${name}`;
}

/** Returns a callback that adds the ids of its events to the list. */
export function collectIds(ids: string[]): (ctx: unknown, event: { id: string } | null) => unknown {
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
