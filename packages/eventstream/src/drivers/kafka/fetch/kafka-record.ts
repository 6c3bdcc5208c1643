import type { IHeaders, KafkaMessage } from 'kafkajs';
import type { StoredRecord } from '../../../record.js';

/** A record of kafkajs as ours. Headers are made texts when somebody looks: most readers do not. */
export class KafkaRecord implements StoredRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly timestampMs: number;
  readonly #headers: IHeaders | undefined;

  constructor(topic: string, partition: number, message: KafkaMessage) {
    this.topic = topic;
    this.partition = partition;
    this.offset = BigInt(message.offset);
    this.key = message.key;
    this.value = message.value;
    this.timestampMs = Number(message.timestamp);
    this.#headers = message.headers;
  }

  get headers(): Readonly<Record<string, string>> {
    const texts: Record<string, string> = {};
    for (const [name, values] of Object.entries(this.#headers ?? {})) {
      const value = Array.isArray(values) ? values.at(-1) : values;
      if (value !== undefined && value !== null) texts[name] = value.toString();
    }
    return texts;
  }
}
