import type { OnTestFinishedHandler } from 'vitest';
import { vi } from 'vitest';
import type { Client } from '../src/client/client.js';
import type { ClientOptions, KafkaConfig } from '../src/client/client-config.js';
import { createClient, createClientOn } from '../src/client/create-client.js';
import { createPlatformaticDriver } from '../src/drivers/platformatic/platformatic-driver.js';
import { createTopic, uniqueName } from './kafka-topic.js';

const prefix = 'shop';

/** How tests of clients wait. */
export const patience = { timeout: 30_000, interval: 20 } as const;

/** A client as users make it, on either library. */
export const kafkaClients: readonly {
  readonly name: string;
  readonly open: (brokers: string[], options: ClientOptions, kafka: KafkaConfig) => Promise<Client>;
}[] = [
  {
    name: 'kafkajs',
    open: (brokers, options, kafka) =>
      createClient(prefix, 'kafka', brokers, { ...options, ...kafka }),
  },
  {
    name: '@platformatic/kafka',
    open: async (brokers, options, kafka) =>
      createClientOn(prefix, createPlatformaticDriver({ brokers, ...kafka }), options),
  },
];

/** What a test has of the stream; its clients are closed when it is over. */
export interface Stage {
  open(options?: ClientOptions, kafka?: KafkaConfig): Promise<Client>;
  /** @returns the new topic's name without prefix */
  newTopic(partitions?: number): Promise<string>;
  until(assertion: () => unknown): Promise<unknown>;
}

/** For a test that hands its own `onTestFinished`: those of others may run beside it. */
export type StartStage = (onTestFinished: (close: OnTestFinishedHandler) => void) => Stage;

export function stageOn(
  brokers: () => string[],
  open: (typeof kafkaClients)[number]['open'],
): StartStage {
  return (onTestFinished) => ({
    async open(options = {}, kafka = {}) {
      const client = await open(brokers(), options, kafka);
      onTestFinished(() => client.close({ drainMs: 1_000 }));
      return client;
    },
    async newTopic(partitions = 1) {
      const topic = uniqueName();
      await createTopic(brokers(), { topic: onWire(topic), numPartitions: partitions });
      return topic;
    },
    until: (assertion) => vi.waitFor(assertion, patience),
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
