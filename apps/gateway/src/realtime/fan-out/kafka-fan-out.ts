/*
 * Fan-out of gateways over Kafka.
 *
 * - The event log decides about the order and the positions of stored batches, with Kafka as without.
 *   After its commit a batch goes to Kafka with its offset in the log. A gateway that has delivered all
 *   below that offset delivers it without a query: fan-out-log.ts.
 * - Batches of two gateways may overtake one another on their way, or not arrive. The log has them all.
 * - A batch that is not stored is in Kafka only.
 * - Records of another log are ignored: installations may share a Kafka.
 * - A batch that Kafka did not take is notified by Postgres, as without Kafka.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { newId, settlesWithin } from '@posthaste/contracts';
import {
  type Driver,
  type DriverSubscription,
  type OutgoingRecord,
  offsetEnd,
  type PostgresLog,
  type StoredRecord,
  type SubscriptionHandler,
  toWireTopic,
} from '@posthaste/eventstream';
import type { KafkaConnection } from '@posthaste/settings';
import { realtimeTopic } from '../batch-record.js';
import type { FanOut } from './fan-out.js';
import { FanOutLog, type TailedLog } from './fan-out-log.js';
import { KafkaSender, maxRequestBytes, requestBytesOf } from './kafka-sender.js';

/** Configuration of the fan-out. */
export interface KafkaFanOutConfig {
  readonly connection: KafkaConnection;
  /** Prefix of topics in Kafka, without the dot. */
  readonly prefix: string;
}

/** Options of a `KafkaFanOut`. */
export interface KafkaFanOutOptions {
  readonly log: PostgresLog;
  /** Topic of the event log that is fanned out. */
  readonly logTopic: string;
  /** Opens the driver. Called when the fan-out starts. */
  readonly openDriver: () => Promise<Driver>;
  /** Topic in Kafka, which is created if it is missing. Its first partition is used. */
  readonly topic: string;
  /** Called with each error. Kafka is tried again. */
  readonly onError: (error: unknown) => void;
}

/** Topic in Kafka, behind the prefix. */
const kafkaTopic = 'posthaste.realtime';
const partition = 0;
const offsetHeader = 'posthaste-offset';
const epochHeader = 'posthaste-epoch';
/** Time between two commits of what was read, in ms. */
const commitMs = 5_000;
const retryMs = 1_000;
/** Longest time of each step of the end of the connection, in ms. */
const closeMs = 3_000;

/** Creates the fan-out, which connects when it starts. */
export function openKafkaFanOut(
  { connection, prefix }: KafkaFanOutConfig,
  log: PostgresLog,
  onError: (error: unknown) => void,
): FanOut {
  return new KafkaFanOut({
    ...{ log, logTopic: realtimeTopic, topic: toWireTopic(prefix, kafkaTopic), onError },
    async openDriver() {
      // Loaded only when it is needed, because the client library takes memory.
      const { createKafkaDriver } = await import('@posthaste/eventstream/kafka');
      return createKafkaDriver({ ...connection, clientId: 'posthaste-realtime', acks: 'leader' });
    },
  });
}

/** Passes the batches of gateways on over Kafka. */
export class KafkaFanOut implements FanOut {
  readonly #options: KafkaFanOutOptions;
  readonly #log: FanOutLog;
  readonly #sender: KafkaSender;
  readonly #closing = new AbortController();
  #driver: Driver | undefined;
  #subscription: DriverSubscription | undefined;
  #opening: Promise<Driver | undefined> = Promise.resolve(undefined);
  #epoch = '';
  #onBroadcast: (record: StoredRecord) => void = () => undefined;
  /** Offset in Kafka behind the last record that was read, and of the last commit. */
  #next = 0n;
  #committed = 0n;
  #commits: NodeJS.Timeout | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: KafkaFanOutOptions) {
    const { log, topic, onError } = options;
    this.#options = options;
    this.#log = new FanOutLog({ log });
    this.#sender = new KafkaSender({ topic, partition, opening: () => this.#opening, onError });
  }

  get log(): TailedLog {
    return this.#log;
  }

  start(epoch: string, onBroadcast: (record: StoredRecord) => void): void {
    this.#epoch = epoch;
    this.#onBroadcast = onBroadcast;
    this.#opening = this.#open();
  }

  sendStored(records: readonly StoredRecord[]): void {
    this.#log.add(records);
    const { log, logTopic } = this.#options;
    // Not only after Kafka has not answered for some time.
    if (!this.#sender.isTaking) log.hint(logTopic);
    for (const record of records) {
      // The others read a large one from the log.
      const value = requestBytesOf(record) > maxRequestBytes ? null : record.value;
      const headers = { ...record.headers, [offsetHeader]: `${record.offset}` };
      this.#send({ key: record.key, value, headers }).catch(() => log.hint(logTopic));
    }
  }

  readSoon(): void {
    this.#log.readSoon();
  }

  broadcast(record: OutgoingRecord): Promise<void> {
    return this.#send(record);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#commits);
    await settlesWithin(this.#sender.close(), closeMs);
    await settlesWithin(this.#opening, closeMs);
    const ending = Promise.resolve(this.#subscription?.close()).then(() => this.#driver?.close());
    await settlesWithin(ending, closeMs);
  }

  async #open(): Promise<Driver | undefined> {
    const { openDriver, topic, onError } = this.#options;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        this.#driver ??= await openDriver();
        await this.#driver.partitionCount(topic);
        break;
      } catch (error) {
        onError(error);
        await sleep(retryMs, undefined, { signal }).catch(() => undefined);
      }
    }
    if (signal.aborted || this.#driver === undefined) return undefined;
    // A group of its own: every gateway reads everything.
    const groupId = `posthaste-realtime-${newId()}`;
    const request = { topic, groupId, groupInstanceId: undefined, startOffset: offsetEnd };
    this.#subscription = this.#driver.subscribe({ ...request, drainMs: 0 }, this.#handler());
    this.#commits = setInterval(() => this.#commit(), commitMs);
    return this.#driver;
  }

  #handler(): SubscriptionHandler {
    const setConnected = (isConnected: boolean) => (partitions: readonly number[]) => {
      if (partitions.includes(partition)) this.#log.isConnected = isConnected;
    };
    return {
      assigned: setConnected(true),
      lost: setConnected(false),
      revoked: async (partitions) => setConnected(false)(partitions),
      records: async (from, records) => {
        if (from === partition) this.#onRecords(records);
      },
      interrupted: (error) => {
        this.#log.isConnected = false;
        this.#options.onError(error);
      },
    };
  }

  #onRecords(records: readonly StoredRecord[]): void {
    const stored: StoredRecord[] = [];
    for (const record of records) {
      // A consumer that has connected again begins at its last commit.
      if (record.offset < this.#next) continue;
      this.#next = record.offset + 1n;
      if (record.headers[epochHeader] !== this.#epoch) continue;
      const offset = record.headers[offsetHeader];
      if (offset === undefined) this.#onBroadcast(record);
      else if (record.value === null) this.#log.readSoon();
      else stored.push({ ...toPlain(record), offset: BigInt(offset) });
    }
    if (stored.length > 0) this.#log.add(stored);
  }

  #commit(): void {
    const next = this.#next;
    if (next === this.#committed) return;
    this.#committed = next;
    this.#subscription?.commit(new Map([[partition, next]])).catch(() => {
      this.#committed = 0n;
    });
  }

  #send({ key, value, headers }: OutgoingRecord): Promise<void> {
    return this.#sender.send({ key, value, headers: { ...headers, [epochHeader]: this.#epoch } });
  }
}

/** Returns the record without the parts of a driver, and with the headers as texts. */
function toPlain({ topic, key, value, headers, timestampMs, offset }: StoredRecord): StoredRecord {
  return { topic, partition, offset, key, value, headers: { ...headers }, timestampMs };
}
