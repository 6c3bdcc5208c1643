import { setTimeout as sleep } from 'node:timers/promises';
import { type MessageToProduce, ProduceAcks, Producer } from '@platformatic/kafka';
import { PlatformError } from '@posthaste/contracts';
import type { AppendRequest } from '../../driver.js';
import type { OutgoingRecord } from '../../record.js';
import {
  isWorthReconnecting,
  toAppendError,
  toPlatformError,
} from '../kafka/connection/kafka-errors.js';
import type { KafkaAcks, KafkaSettings } from '../kafka/connection/kafka-options.js';
import { OrderedAppends, type SendState } from '../kafka/produce/ordered-appends.js';
import { closeWithin, readTopic } from './client-requests.js';
import { toClientOptions } from './platformatic-client.js';

const acksOnWire: Readonly<Record<KafkaAcks, number>> = {
  all: ProduceAcks.ALL,
  leader: ProduceAcks.LEADER,
  none: ProduceAcks.NO_RESPONSE,
};

/** Brokers answer that a topic is missing while they make it, because they were asked for it. */
const creationTries = 10;
const creationPauseMs = 100;

/** Closed when it is replaced and nobody waits for an answer any more. */
interface UsedProducer {
  readonly producer: Producer;
  users: number;
}

/** Appends with one request per call, over a producer that is replaced when it fails. */
export class PlatformaticWriter {
  readonly #settings: KafkaSettings;
  readonly #appends: OrderedAppends;
  #current: UsedProducer | undefined;

  constructor(settings: KafkaSettings) {
    this.#settings = settings;
    this.#appends = new OrderedAppends((request, attempt) => this.#write(request, attempt));
  }

  async partitionCount(topic: string): Promise<number> {
    const { createTopics } = this.#settings;
    const options = { forceUpdate: true, autocreateTopics: createTopics };
    for (let tries = 1; ; tries++) {
      try {
        const found = await this.#use((producer) => readTopic(producer, topic, options));
        return found.partitionsCount;
      } catch (error) {
        const failure = toPlatformError(error, `read the partitions of ${topic}`);
        const isMissing = failure.code === 'TOPIC_NOT_FOUND';
        if (!isMissing || !createTopics || tries === creationTries) throw failure;
      }
      await sleep(creationPauseMs);
    }
  }

  append(request: AppendRequest): Promise<void> {
    return this.#appends.append(request);
  }

  async close(): Promise<void> {
    const current = this.#current;
    this.#current = undefined;
    if (current) await closeWithin(current.producer);
  }

  async #write(request: AppendRequest, attempt: SendState): Promise<void> {
    const { topic, partition } = request;
    const action = `append to ${topic}/${partition}`;
    try {
      await this.#use((producer) => this.#send(producer, request, attempt));
    } catch (error) {
      throw attempt.sent ? toAppendError(error, action) : toPlatformError(error, action);
    }
  }

  async #send(
    producer: Producer,
    { topic, partition, records }: AppendRequest,
    attempt: SendState,
  ): Promise<void> {
    const { acks, compression, createTopics } = this.#settings;
    const { partitions } = await readTopic(producer, topic, { autocreateTopics: createTopics });
    await connectToLeader(producer, topic, partition, partitions[partition]?.leader);
    if (attempt.expired) return;
    attempt.sent = true;
    await producer.send({
      messages: records.map((record) => toMessage(topic, partition, record)),
      acks: acksOnWire[acks],
      compression,
      repeatOnStaleMetadata: false,
    });
  }

  /** Whatever fails on a producer's connections makes the next one use new ones. */
  async #use<Result>(work: (producer: Producer) => Promise<Result>): Promise<Result> {
    this.#current ??= { producer: new Producer(toClientOptions(this.#settings)), users: 0 };
    const used = this.#current;
    used.users++;
    try {
      return await work(used.producer);
    } catch (error) {
      const replace = isWorthReconnecting(toPlatformError(error, 'use the producer'));
      if (replace && this.#current === used) this.#current = undefined;
      throw error;
    } finally {
      used.users--;
      if (used.users === 0 && this.#current !== used) void closeWithin(used.producer);
    }
  }
}

/**
 * Before the records are handed over: of what fails after that nobody knows whether they were sent.
 * The library would also take another partition instead of one that is missing.
 */
async function connectToLeader(
  producer: Producer,
  topic: string,
  partition: number,
  leader = -1,
): Promise<void> {
  const connections = leader < 0 ? undefined : await producer.connectToBrokers([leader]);
  if (connections?.has(leader)) return;
  throw new PlatformError('STREAM_UNAVAILABLE', `nobody leads partition ${partition} of ${topic}`);
}

function toMessage(
  topic: string,
  partition: number,
  { key, value, headers }: OutgoingRecord,
): MessageToProduce {
  const texts = Object.entries(headers);
  return {
    topic,
    partition,
    ...(key === null ? {} : { key }),
    ...(value === null ? {} : { value }),
    headers: new Map(texts.map(([name, text]) => [Buffer.from(name), Buffer.from(text)])),
  };
}
