import type { Driver } from '../driver.js';
import type { Client } from './client.js';
import type { ClientConfig, ClientOptions, StreamName } from './client-config.js';
import { type OpenDriver, openDriver } from './open-driver.js';
import type { PayloadSchemaTable } from './payload-schemas.js';
import { StreamClient } from './stream-client.js';
import { createStreamLog, type StreamLogger, type StreamLogMode } from './stream-log.js';
import type { AnyTopics } from './topic-types.js';

/**
 * A client of a stream. It connects when it first has something to do, and comes back by itself
 * after every failure.
 * @param prefix of topics and groups; empty: none
 * @param brokers of `kafka`, `host:port` each; other streams ignore them
 * @throws PlatformError `STREAM_UNSUPPORTED`, `OPTION_INVALID`
 */
export async function createClient<Topics = AnyTopics>(
  prefix: string,
  stream: StreamName,
  brokers: readonly string[] = [],
  config: ClientConfig<Topics> = {},
): Promise<Client<Topics>> {
  const { logMode, log } = toLog(config);
  const { schemas, ...plain } = config;
  const opened = await openDriver(stream, { brokers, config: plain, logMode, log });
  const tryTimeoutMs = plain.tryTimeoutMs ?? plain.writeTimeoutMs;
  return toClient(prefix, opened, { ...plain, schemas, tryTimeoutMs }, log);
}

/**
 * A client of a driver that was made elsewhere, which closes with it.
 * @throws PlatformError `OPTION_INVALID`
 */
export function createClientOn<Topics = AnyTopics>(
  prefix: string,
  driver: Driver,
  options: ClientOptions<Topics> = {},
): Client<Topics> {
  const opened = { driver, close: () => driver.close() };
  return toClient(prefix, opened, options, toLog(options).log);
}

function toClient<Topics>(
  prefix: string,
  stream: OpenDriver,
  { schemas, ...options }: ClientOptions<Topics>,
  log: StreamLogger,
): Client<Topics> {
  // The types of `Topics` are all that is between the two.
  return new StreamClient({
    prefix,
    stream,
    options,
    schemas: schemas as PayloadSchemaTable | undefined,
    log,
  }) as Client<Topics>;
}

function toLog({ logMode, logger }: Pick<ClientOptions, 'logMode' | 'logger'>): {
  readonly logMode: StreamLogMode;
  readonly log: StreamLogger;
} {
  const mode = logMode ?? (logger ? 'warn' : 'off');
  return { logMode: mode, log: createStreamLog(mode, logger) };
}
