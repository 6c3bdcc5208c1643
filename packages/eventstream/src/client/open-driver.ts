import { PlatformError } from '@posthaste/contracts';
import type { Driver } from '../driver.js';
import type { KafkaDriverOptions } from '../drivers/kafka/connection/kafka-options.js';
import { createMemoryDriver } from '../drivers/memory/memory-driver.js';
import { MemoryStream } from '../drivers/memory/memory-stream.js';
import { createNoneDriver } from '../drivers/none.js';
import { createStdoutDriver } from '../drivers/stdout.js';
import type { ClientConfig, KafkaConfig, StreamName } from './client-config.js';
import type { StreamLogger, StreamLogMode } from './stream-log.js';

/** Options of `openDriver`. */
export interface OpenDriverOptions {
  readonly brokers: readonly string[];
  readonly config: Omit<ClientConfig, 'schemas'>;
  readonly logMode: StreamLogMode;
  readonly log: StreamLogger;
}

/** A driver, and the function that closes it. */
export interface OpenDriver {
  readonly driver: Driver;
  /** Closes the driver and everything that was opened for it. */
  close(): Promise<void>;
}

/** Names of the Kafka options, to pick them from a configuration that also has others. */
const kafkaOptions: Readonly<Record<keyof KafkaConfig, true>> = {
  clientId: true,
  dialTimeoutMs: true,
  readTimeoutMs: true,
  writeTimeoutMs: true,
  tls: true,
  caFile: true,
  certificateFile: true,
  sasl: true,
  acks: true,
  compression: true,
  createTopics: true,
  sessionTimeoutMs: true,
  heartbeatIntervalMs: true,
  fetchWaitMs: true,
  topicRefreshMs: true,
  maxPartitionBytes: true,
};

/**
 * Opens the driver of a stream, without connecting yet. A client library is loaded only when its
 * stream is used.
 * @throws PlatformError `STREAM_UNSUPPORTED`, `OPTION_INVALID`
 */
export async function openDriver(
  stream: StreamName,
  options: OpenDriverOptions,
): Promise<OpenDriver> {
  switch (stream) {
    case 'kafka':
      return toOpenDriver(await createKafka(options));
    case 'postgres':
      return openLog(options);
    case 'memory':
      return toOpenDriver(createMemoryDriver(options.config.memory ?? new MemoryStream()));
    case 'stdout':
      return toOpenDriver(createStdoutDriver());
    case 'none':
      return toOpenDriver(createNoneDriver());
    default:
      throw new PlatformError('STREAM_UNSUPPORTED', 'unsupported stream', {
        details: { stream: stream satisfies never },
      });
  }
}

/** Returns a driver for which nothing else was opened. */
function toOpenDriver(driver: Driver): OpenDriver {
  return { driver, close: () => driver.close() };
}

async function createKafka({ brokers, config, logMode, log }: OpenDriverOptions): Promise<Driver> {
  const given = Object.entries(config).filter(
    ([name, value]) => name in kafkaOptions && value !== undefined,
  );
  const options: KafkaDriverOptions = {
    ...Object.fromEntries(given),
    brokers,
    logMode,
    logger: log,
  };
  const { createKafkaDriver } = await import('../drivers/kafka/kafkajs-driver.js');
  return createKafkaDriver(options);
}

/** Opens a log on the given database, which stays open when the log closes. */
async function openLog({ config }: OpenDriverOptions): Promise<OpenDriver> {
  const { database, partitioner, postgres } = config;
  if (!database)
    throw new PlatformError('OPTION_INVALID', 'the postgres stream needs the option `database`');
  const { PostgresLog } = await import('../drivers/postgres/postgres-log.js');
  const { createPostgresDriver } = await import('../drivers/postgres/postgres-driver.js');
  const log = new PostgresLog({ db: database, partitioner });
  const driver = createPostgresDriver(log, postgres);
  const close = async (): Promise<void> => {
    await driver.close();
    await log.close();
  };
  return { driver, close };
}
