import { PlatformError, settlesWithin } from '@posthaste/contracts';
import type { Driver, OutgoingRecord } from '@posthaste/eventstream';
import { GroupCommit } from '@posthaste/eventstream/event-log';

/** Options of a `KafkaSender`. */
export interface KafkaSenderOptions {
  readonly topic: string;
  readonly partition: number;
  /** Resolves when Kafka was reached; with undefined when it will not be. Does not reject. */
  readonly opening: () => Promise<Driver | undefined>;
  /** Called with each error. */
  readonly onError: (error: unknown) => void;
}

/** Bytes of one request: brokers take 1 MiB by default. */
export const maxRequestBytes = 900_000;
/** Bytes that wait for Kafka; more are not sent. */
const maxWaitingBytes = 16 * 1_048_576;
const timeoutMs = 10_000;
/** Longest wait for the first connection, in ms. */
const maxOpeningMs = 5_000;
/** Bytes of a record besides key and value. */
const overheadBytes = 200;

/** Returns the bytes that a record takes in a request, roughly. */
export function requestBytesOf({ key, value }: OutgoingRecord): number {
  return (key?.length ?? 0) + (value?.length ?? 0) + overheadBytes;
}

/** Sends records to one partition, in the order of the calls. Records that wait share a request. */
export class KafkaSender {
  readonly #options: KafkaSenderOptions;
  readonly #sending: GroupCommit<OutgoingRecord, unknown>;
  #isTaking = false;

  constructor(options: KafkaSenderOptions) {
    this.#options = options;
    this.#sending = new GroupCommit({
      commit: (records) => this.#append(records),
      maxWaitingBytes,
      maxTransactions: 1,
    });
  }

  /** True while Kafka takes what is sent, as far as is known. */
  get isTaking(): boolean {
    return this.#isTaking;
  }

  /** Resolves when Kafka has the record. @throws PlatformError `STREAM_*`, `OVERLOADED`, `STOPPING` */
  async send(record: OutgoingRecord): Promise<void> {
    const [failure] = await this.#sending.store([record], requestBytesOf(record));
    if (failure !== undefined) throw failure;
  }

  /** Sends what waits. Idempotent. */
  close(): Promise<void> {
    return this.#sending.close();
  }

  /** Appends in requests that a broker takes. Returns the errors, by record. */
  async #append(records: readonly OutgoingRecord[]): Promise<unknown[]> {
    const failures: unknown[] = [];
    let request: OutgoingRecord[] = [];
    let bytes = 0;
    const flush = async (): Promise<void> => {
      const failure = await this.#request(request);
      failures.push(...request.map(() => failure));
      request = [];
      bytes = 0;
    };
    for (const record of records) {
      const more = requestBytesOf(record);
      if (request.length > 0 && bytes + more > maxRequestBytes) await flush();
      request.push(record);
      bytes += more;
    }
    if (request.length > 0) await flush();
    return failures;
  }

  async #request(records: readonly OutgoingRecord[]): Promise<unknown> {
    const { topic, partition, opening, onError } = this.#options;
    try {
      // A gateway that has just begun has clients before it has reached Kafka.
      const opened = opening();
      const driver = (await settlesWithin(opened, maxOpeningMs)) ? await opened : undefined;
      if (driver === undefined) {
        throw new PlatformError('STREAM_UNAVAILABLE', 'Kafka has not been reached yet');
      }
      await driver.append({ topic, partition, records, timeoutMs });
      this.#isTaking = true;
      return undefined;
    } catch (error) {
      this.#isTaking = false;
      onError(error);
      return error;
    }
  }
}
