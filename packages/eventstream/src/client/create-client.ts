import type { Driver } from '../driver.js';
import type { Client } from './client.js';
import type { ClientConfig, ClientOptions, StreamName } from './client-config.js';
import { openDriver } from './open-driver.js';
import type { PayloadSchemaTable } from './payload-schemas.js';
import { StreamClient, type StreamClientOptions } from './stream-client.js';
import { createStreamLog, type StreamLogger, type StreamLogMode } from './stream-log.js';
import type { AnyTopics, SchemasOf } from './topic-types.js';

/**
 * Creates a client of a stream. It connects on first use and reconnects after every failure.
 * @param prefix of topics and groups; empty: no prefix
 * @param brokers of `kafka`, each as `host:port`; other streams ignore them
 * @throws PlatformError `STREAM_UNSUPPORTED`, `OPTION_INVALID`
 */
// biome-ignore lint/complexity/useMaxParams: the parameters of the Go SDK's function
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
  const options = { ...plain, tryTimeoutMs };
  return toClient({ prefix, stream: opened, options, schemas, log });
}

/**
 * Creates a client of any driver. Closing the client closes the driver.
 * @throws PlatformError `OPTION_INVALID`
 */
export function createClientOn<Topics = AnyTopics>(
  prefix: string,
  driver: Driver,
  { schemas, ...options }: ClientOptions<Topics> = {},
): Client<Topics> {
  const stream = { driver, close: () => driver.close() };
  return toClient({ prefix, stream, options, schemas, log: toLog(options).log });
}

interface TypedClientOptions<Topics> extends Omit<StreamClientOptions, 'schemas'> {
  readonly schemas: SchemasOf<Topics> | undefined;
}

/** Adds the types of `Topics`, which are all that distinguishes the two kinds of client. */
function toClient<Topics>({ schemas, ...options }: TypedClientOptions<Topics>): Client<Topics> {
  const table = schemas as PayloadSchemaTable | undefined;
  return new StreamClient({ ...options, schemas: table }) as Client<Topics>;
}

function toLog({ logMode, logger }: Pick<ClientOptions, 'logMode' | 'logger'>): {
  readonly logMode: StreamLogMode;
  readonly log: StreamLogger;
} {
  const mode = logMode ?? (logger ? 'warn' : 'off');
  return { logMode: mode, log: createStreamLog(mode, logger) };
}
