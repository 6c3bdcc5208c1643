import { PlatformError } from '@posthaste/contracts';
import type { PartitionerName } from './partitioner.js';

/** Options of a publisher. */
export interface PublisherOptions {
  /** Rule by which a key chooses its partition. Default `java`. */
  readonly partitioner?: PartitionerName | undefined;
  /** Longest time that a batch waits for more records, in ms. Default 5. */
  readonly lingerMs?: number | undefined;
  /** Most records in one batch. Default 500. */
  readonly maxBatchRecords?: number | undefined;
  /** Most bytes in one batch; a larger record is a batch of its own. Default 524,288. */
  readonly maxBatchBytes?: number | undefined;
  /**
   * Bytes that may wait for their acknowledgement before publishers must wait. Default 33,554,432.
   */
  readonly maxBufferBytes?: number | undefined;
  /** Longest time of an event, waiting and retries included, in ms. Default 60,000. */
  readonly publishTimeoutMs?: number | undefined;
  /** Tries that an event gets even when they take longer than its timeout. Default 3. */
  readonly minTries?: number | undefined;
  /** Longest time of one try, in ms. Default 10,000. */
  readonly tryTimeoutMs?: number | undefined;
  /** First wait between two tries, in ms; it doubles each time. Default 100. */
  readonly initialBackoffMs?: number | undefined;
  /** Longest wait between two tries, in ms. Default 1,000. */
  readonly maxBackoffMs?: number | undefined;
  /**
   * Age from which the number of partitions of a topic is asked for again, in ms. Default 300,000.
   */
  readonly metadataMaxAgeMs?: number | undefined;
}

/** Options of a publisher with the defaults filled in. */
export type PublisherSettings = {
  readonly [Name in keyof PublisherOptions]-?: NonNullable<PublisherOptions[Name]>;
};

const defaults: PublisherSettings = {
  partitioner: 'java',
  lingerMs: 5,
  maxBatchRecords: 500,
  maxBatchBytes: 524_288,
  maxBufferBytes: 33_554_432,
  publishTimeoutMs: 60_000,
  minTries: 3,
  tryTimeoutMs: 10_000,
  initialBackoffMs: 100,
  maxBackoffMs: 1_000,
  metadataMaxAgeMs: 300_000,
};

const partitioners: readonly string[] = [
  'java',
  'librdkafka-crc32',
  'round-robin',
] satisfies PartitionerName[];

/** Fills in the defaults, which only this file knows. @throws PlatformError `OPTION_INVALID` */
export function resolvePublisherOptions(options: PublisherOptions = {}): PublisherSettings {
  // By the names of the defaults: a client's configuration also has other options.
  const names = Object.keys(defaults) as (keyof PublisherSettings)[];
  const entries = names.map((name) => [name, options[name] ?? defaults[name]] as const);
  const settings = Object.fromEntries(entries) as unknown as PublisherSettings;
  if (!partitioners.includes(settings.partitioner)) {
    throw new PlatformError(
      'OPTION_INVALID',
      `partitioner is ${settings.partitioner}; use one of ${partitioners.join(', ')}`,
    );
  }
  for (const [name, value] of Object.entries(settings)) {
    if (typeof value === 'string') continue;
    const least = name === 'lingerMs' ? 0 : 1;
    if (Number.isFinite(value) && value >= least) continue;
    throw new PlatformError(
      'OPTION_INVALID',
      `${name} is ${value}; use a number of ${least} or more`,
    );
  }
  return settings;
}
