import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { PlatformError } from '@posthaste/contracts';
import { getTlsCertFromFile } from './tls-certificate.js';

export type KafkaLogMode = 'off' | 'error' | 'warn' | 'info' | 'debug';

/** Where the client library's own lines go. A pino logger is one. */
export interface KafkaLogger {
  error(details: object, message: string): void;
  warn(details: object, message: string): void;
  info(details: object, message: string): void;
  debug(details: object, message: string): void;
}

export type KafkaCompression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';

/** `all`: every in-sync replica has it; `leader`: one broker has it; `none`: nobody is asked. */
export type KafkaAcks = 'all' | 'leader' | 'none';

export type KafkaSasl =
  | {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
      readonly username: string;
      readonly password: string;
    }
  | {
      readonly mechanism: 'oauthbearer';
      /** Called for each connection: a token that is valid now. */
      readonly token: () => Promise<string>;
    };

/** How to reach Kafka, and how to use it: the same for both Kafka drivers. */
export interface KafkaDriverOptions {
  /** `host:port` of one broker or more; the others are found through them. */
  readonly brokers: readonly string[];
  /** Names this client in the brokers' logs and quotas. Default `posthaste`. */
  readonly clientId?: string;
  /** Time to open a connection, TLS and authentication included, in milliseconds. Default 10,000. */
  readonly dialTimeoutMs?: number;
  /** Time to wait for an answer, in milliseconds. Default 10,000. */
  readonly readTimeoutMs?: number;
  /** Time for a record to be written by the brokers, in milliseconds. Default 10,000. */
  readonly writeTimeoutMs?: number;
  /** TLS with the system's authorities when true, or Node's own TLS options. Default: none. */
  readonly tls?: boolean | ConnectionOptions;
  /** File with the certificates (PEM) of the authorities that the brokers' are checked by. Turns TLS on. */
  readonly caFile?: string;
  /** File with this client's certificate chain and key in one PEM. Turns TLS on. */
  readonly certificateFile?: string;
  readonly sasl?: KafkaSasl;
  /** How much the client library tells, for this client only. Default `off`. */
  readonly logMode?: KafkaLogMode;
  /** Needed unless `logMode` is `off`. */
  readonly logger?: KafkaLogger;
  /** Default `all`. */
  readonly acks?: KafkaAcks;
  /** Default `none`. Every codec is read, whatever is set here. */
  readonly compression?: KafkaCompression;
  /** Whether publishing to a topic that is missing asks the brokers to make it. Default true. */
  readonly createTopics?: boolean;
  /** A consumer that is not heard of for so long is out of its group, in milliseconds. Default 30,000. */
  readonly sessionTimeoutMs?: number;
  /** How often a consumer is heard of, in milliseconds. Default 1,000. */
  readonly heartbeatIntervalMs?: number;
  /** Longest wait of the brokers for new records, in milliseconds: bounds how long stopping takes. Default 250. */
  readonly fetchWaitMs?: number;
  /** How old what is known of topics may be, in milliseconds: new partitions are found so late. Default 60,000. */
  readonly topicRefreshMs?: number;
  /** Most bytes of one partition in one answer; a larger record comes alone. Default 1,048,576. */
  readonly maxPartitionBytes?: number;
}

/** Options with their defaults, and with what files hold. */
export interface KafkaSettings
  extends Readonly<
    Required<Omit<KafkaDriverOptions, 'tls' | 'caFile' | 'certificateFile' | 'sasl' | 'logger'>>
  > {
  readonly tls: ConnectionOptions | undefined;
  readonly sasl: KafkaSasl | undefined;
  readonly logger: KafkaLogger | undefined;
}

const defaults = {
  clientId: 'posthaste',
  dialTimeoutMs: 10_000,
  readTimeoutMs: 10_000,
  writeTimeoutMs: 10_000,
  logMode: 'off',
  acks: 'all',
  compression: 'none',
  createTopics: true,
  sessionTimeoutMs: 30_000,
  heartbeatIntervalMs: 1_000,
  fetchWaitMs: 250,
  topicRefreshMs: 60_000,
  maxPartitionBytes: 1_048_576,
} as const satisfies Omit<KafkaDriverOptions, 'brokers'>;

const choices: Readonly<Record<'logMode' | 'acks' | 'compression', readonly string[]>> = {
  logMode: ['off', 'error', 'warn', 'info', 'debug'] satisfies KafkaLogMode[],
  acks: ['all', 'leader', 'none'] satisfies KafkaAcks[],
  compression: ['none', 'gzip', 'snappy', 'lz4', 'zstd'] satisfies KafkaCompression[],
};

const mechanisms: readonly string[] = [
  'plain',
  'scram-sha-256',
  'scram-sha-512',
  'oauthbearer',
] satisfies KafkaSasl['mechanism'][];

/**
 * The only place that knows the defaults. Reads the files.
 * @throws PlatformError `OPTION_INVALID`
 */
export function resolveKafkaOptions(options: KafkaDriverOptions): KafkaSettings {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const settings: KafkaSettings = {
    ...defaults,
    ...(Object.fromEntries(given) as unknown as KafkaDriverOptions),
    sasl: options.sasl,
    logger: options.logger,
    tls: resolveTls(options),
  };
  const fault = findFault(settings);
  if (fault !== undefined) throw new PlatformError('OPTION_INVALID', fault);
  return settings;
}

function resolveTls({
  tls,
  caFile,
  certificateFile,
}: KafkaDriverOptions): ConnectionOptions | undefined {
  if (!tls && caFile === undefined && certificateFile === undefined) return undefined;
  return {
    ...(typeof tls === 'object' ? tls : {}),
    ...(caFile === undefined ? {} : { ca: readCertificates(caFile) }),
    ...(certificateFile === undefined ? {} : getTlsCertFromFile(certificateFile)),
  };
}

function readCertificates(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new PlatformError('OPTION_INVALID', `caFile ${file} cannot be read`, { cause });
  }
}

/** What is wrong, for people; undefined when nothing is. */
function findFault(settings: KafkaSettings): string | undefined {
  const { brokers, sasl } = settings;
  if (brokers.length === 0) return 'brokers is empty';
  const odd = brokers.find((broker) => !/^.+:\d{1,5}$/.test(broker));
  if (odd !== undefined) return `brokers has ${JSON.stringify(odd)}, which is not host:port`;
  for (const [name, known] of Object.entries(choices)) {
    const value = settings[name as keyof typeof choices];
    if (!known.includes(value)) return `${name} is ${value}, not one of ${known.join(', ')}`;
  }
  if (sasl && !mechanisms.includes(sasl.mechanism)) {
    return `sasl.mechanism is ${sasl.mechanism}, not one of ${mechanisms.join(', ')}`;
  }
  if (settings.logMode !== 'off' && !settings.logger) return 'logMode needs a logger';
  for (const [name, value] of Object.entries(settings)) {
    if (typeof value !== 'number') continue;
    if (!Number.isSafeInteger(value) || value < 1) return `${name} is ${value}, not 1 or more`;
  }
  if (settings.heartbeatIntervalMs * 2 > settings.sessionTimeoutMs) {
    return 'heartbeatIntervalMs is more than half of sessionTimeoutMs';
  }
  return undefined;
}
