import { type MessageToProduce, ProduceAcks, Producer } from '@platformatic/kafka';
import { PlatformError } from '@posthaste/contracts';
import type { AppendRequest } from '../../driver.js';
import type { OutgoingRecord } from '../../record.js';
import { toHeaderList } from '../../record-headers.js';
import {
  isWorthReconnecting,
  toAppendError,
  toPlatformError,
} from '../kafka/connection/kafka-errors.js';
import type { KafkaAcks, KafkaSettings } from '../kafka/connection/kafka-options.js';
import { OrderedAppends, type SendState } from '../kafka/produce/ordered-appends.js';
import { closeWithin, readTopic, toClientOptions } from './platformatic-client.js';

/** Values of `acks` in a Produce request. */
const acksOnWire: Readonly<Record<KafkaAcks, number>> = {
  all: ProduceAcks.ALL,
  leader: ProduceAcks.LEADER,
  none: ProduceAcks.NO_RESPONSE,
};

/** A producer and the number of requests on it. A replaced one is closed when that is 0. */
interface SharedProducer {
  readonly producer: Producer;
  requests: number;
}

/** A writer that sends one request per append, over a producer that is replaced when it fails. */
export class PlatformaticWriter {
  readonly #settings: KafkaSettings;
  readonly #appends: OrderedAppends;
  #current: SharedProducer | undefined;

  constructor(settings: KafkaSettings) {
    this.#settings = settings;
    this.#appends = new OrderedAppends((request, state) => this.#write(request, state));
  }

  async partitionCount(topic: string): Promise<number> {
    const options = { forceUpdate: true, autocreateTopics: this.#settings.createTopics };
    try {
      const found = await this.#use((producer) => readTopic(producer, topic, options));
      return found.partitionsCount;
    } catch (error) {
      throw toPlatformError(error, `read the partitions of ${topic}`);
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

  async #write(request: AppendRequest, state: SendState): Promise<void> {
    const { topic, partition } = request;
    const action = `append to ${topic}/${partition}`;
    try {
      await this.#use((producer) => this.#send(producer, request, state));
    } catch (error) {
      throw state.sent ? toAppendError(error, action) : toPlatformError(error, action);
    }
  }

  async #send(producer: Producer, request: AppendRequest, state: SendState): Promise<void> {
    const { topic, partition, records } = request;
    const { acks, compression, createTopics } = this.#settings;
    const { partitions } = await readTopic(producer, topic, { autocreateTopics: createTopics });
    await connectToLeader(producer, request, partitions[partition]?.leader);
    if (state.expired) return;
    state.sent = true;
    await producer.send({
      messages: records.map((record) => toMessage(request, record)),
      acks: acksOnWire[acks],
      compression,
      repeatOnStaleMetadata: false,
    });
  }

  /**
   * Runs work on the current producer. After a failure of its connections, the next call opens new
   * ones.
   */
  async #use<Result>(work: (producer: Producer) => Promise<Result>): Promise<Result> {
    this.#current ??= { producer: new Producer(toClientOptions(this.#settings)), requests: 0 };
    const shared = this.#current;
    shared.requests++;
    try {
      return await work(shared.producer);
    } catch (error) {
      const replace = isWorthReconnecting(toPlatformError(error, 'use the producer'));
      if (replace && this.#current === shared) this.#current = undefined;
      throw error;
    } finally {
      shared.requests--;
      if (shared.requests === 0 && this.#current !== shared) void closeWithin(shared.producer);
    }
  }
}

/**
 * Connects to the leader before the records are passed to the library: a later failure does not say
 * whether they were sent. The library would also choose another partition in place of a missing
 * one.
 */
async function connectToLeader(
  producer: Producer,
  { topic, partition }: AppendRequest,
  leader = -1,
): Promise<void> {
  const connections = leader < 0 ? undefined : await producer.connectToBrokers([leader]);
  if (connections?.has(leader)) return;
  throw new PlatformError('STREAM_UNAVAILABLE', `partition ${partition} of ${topic} has no leader`);
}

function toMessage({ topic, partition }: AppendRequest, record: OutgoingRecord): MessageToProduce {
  const { key, value } = record;
  const headers = toHeaderList(record).map(({ name, value: bytes }) => {
    // Its types leave out that it writes null.
    return [Buffer.from(name), bytes as Buffer] as const;
  });
  return {
    topic,
    partition,
    ...(key === null ? {} : { key }),
    ...(value === null ? {} : { value }),
    // Each name is an object of its own, so a name can come twice.
    headers: new Map(headers),
  };
}
