import { randomUUID } from 'node:crypto';
import {
  type Driver,
  decodeEnvelope,
  offsetBeginning,
  type StoredRecord,
} from '@posthaste/eventstream';
import { createKafkaDriver } from '@posthaste/eventstream/kafka';

/** Reader of topics in Kafka from their beginning; keeps every record. */
export class KafkaReader {
  readonly records: StoredRecord[] = [];
  readonly #driver: Driver;

  constructor(brokers: readonly string[], topics: readonly string[]) {
    this.#driver = createKafkaDriver({ brokers });
    for (const topic of topics) this.#read(topic);
  }

  /** Ids of the events, in the order in which each came first. */
  get ids(): string[] {
    return [...new Set(this.records.map(({ value }) => envelopeOf(value).id))];
  }

  /** Returns a field of the payloads by key, in the order in which each event came first. */
  fieldsByKey(field: string): Map<string, unknown[]> {
    const seen = new Set<string>();
    const byKey = new Map<string, unknown[]>();
    for (const { key, value } of this.records) {
      const { id, payload } = envelopeOf(value);
      if (seen.has(id)) continue;
      seen.add(id);
      const name = key?.toString() ?? '';
      byKey.set(name, [...(byKey.get(name) ?? []), payload?.[field]]);
    }
    return byKey;
  }

  close(): Promise<void> {
    return this.#driver.close();
  }

  #read(topic: string): void {
    this.#driver.subscribe(
      {
        topic,
        groupId: randomUUID(),
        groupInstanceId: undefined,
        startOffset: offsetBeginning,
        drainMs: 1_000,
      },
      {
        assigned: () => undefined,
        revoked: async () => undefined,
        lost: () => undefined,
        records: async (_partition, records) => void this.records.push(...records),
        interrupted: () => undefined,
      },
    );
  }
}

function envelopeOf(value: Buffer | null): ReturnType<typeof decodeEnvelope> {
  return decodeEnvelope(value ?? Buffer.alloc(0));
}
