import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { PlatformError } from '@posthaste/contracts';
import type { CodecName } from '../wire/codecs.js';
import { findBrokerFault } from './broker-address.js';
import { getTlsCertFromFile } from './tls-certificate.js';

/** Lowest level of the client library's log lines that are passed on; `off` for none. */
export type KafkaLogMode = 'off' | 'error' | 'warn' | 'info' | 'debug';

/** A receiver of the client library's log lines. A pino logger is one. */
export interface KafkaLogger {
  error(details: object, message: string): void;
  warn(details: object, message: string): void;
  info(details: object, message: string): void;
  debug(details: object, message: string): void;
}

/** Compression of written records. */
export type KafkaCompression = 'none' | CodecName;

/**
 * Brokers that must have written a record before it is acknowledged. `all`: every in-sync replica;
 * `leader`: the leader of the partition; `none`: no acknowledgement is waited for.
 */
export type KafkaAcks = 'all' | 'leader' | 'none';

/** Credentials of SASL, by mechanism. */
export type KafkaSasl =
  | {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
      readonly username: string;
      readonly password: string;
    }
  | {
      readonly mechanism: 'oauthbearer';
      /** Returns a token that is valid now. Called for each connection. */
      readonly token: () => Promise<string>;
    };

/** Options of both Kafka drivers. */
export interface KafkaDriverOptions {
  /** `host:port` or `[IPv6 address]:port` of at least one broker; the others are found through it. */
  readonly brokers: readonly string[];
  /** Name of this client in the brokers' logs and quotas. Default `posthaste`. */
  readonly clientId?: string;
  /** Longest time to open a connection, with TLS and authentication, in ms. Default 10,000. */
  readonly dialTimeoutMs?: number;
  /** Longest time to wait for a broker's response, in ms. Default 10,000. */
  readonly readTimeoutMs?: number;
  /** Longest time for the brokers to write a record, in ms. Default 10,000. */
  readonly writeTimeoutMs?: number;
  /** True for TLS with the system's authorities, or TLS options of Node. Default: no TLS. */
  readonly tls?: boolean | ConnectionOptions;
  /** PEM file with the authorities that signed the brokers' certificates. Turns TLS on. */
  readonly caFile?: string;
  /** File with the certificate chain and key of this client in one PEM. Turns TLS on. */
  readonly certificateFile?: string;
  /** Credentials of SASL. Default: none. */
  readonly sasl?: KafkaSasl;
  /** Lowest level of the client library's log lines, for this client only. Default `off`. */
  readonly logMode?: KafkaLogMode;
  /** Required unless `logMode` is `off`. */
  readonly logger?: KafkaLogger;
  /** Acknowledgements to wait for. Default `all`. */
  readonly acks?: KafkaAcks;
  /** Compression of written records. Records in every codec are read. Default `none`. */
  readonly compression?: KafkaCompression;
  /** True to have a missing topic created when an event is published to it. Default true. */
  readonly createTopics?: boolean;
  /** Time without a heartbeat after which the group removes a consumer, in ms. Default 30,000. */
  readonly sessionTimeoutMs?: number;
  /** Time between two heartbeats of a consumer, in ms. Default 1,000. */
  readonly heartbeatIntervalMs?: number;
  /** Longest wait of a broker for new records, in ms. Stopping can take as long. Default 250. */
  readonly fetchWaitMs?: number;
  /** Longest age of metadata, in ms: new partitions are found that late. Default 60,000. */
  readonly topicRefreshMs?: number;
  /** Most bytes of one partition in one fetch; a larger record comes alone. Default 1,048,576. */
  readonly maxPartitionBytes?: number;
}

/** Options with the defaults, and with the contents of the files. */
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
 * Fills in the defaults, reads the files and checks the options. Only this function knows the
 * defaults.
 * @throws PlatformError `OPTION_INVALID`
 */
export function resolveKafkaOptions(options: KafkaDriverOptions): KafkaSettings {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const settings: KafkaSettings = {
    ...defaults,
    ...(Object.fromEntries(given) as unknown as KafkaDriverOptions),
    // A list that was split at its commas often has spaces.
    brokers: options.brokers.map((broker) => broker.trim()),
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

/** Returns a message for the first option that is wrong; undefined if none is. */
function findFault(settings: KafkaSettings): string | undefined {
  const { brokers, sasl } = settings;
  if (brokers.length === 0) return 'brokers is empty; give at least one host:port';
  for (const broker of brokers) {
    const fault = findBrokerFault(broker);
    if (fault !== undefined) return `brokers has ${JSON.stringify(broker)}, ${fault}`;
  }
  for (const [name, known] of Object.entries(choices)) {
    const value = settings[name as keyof typeof choices];
    if (!known.includes(value)) return `${name} is ${value}, not one of ${known.join(', ')}`;
  }
  if (sasl && !mechanisms.includes(sasl.mechanism)) {
    return `sasl.mechanism is ${sasl.mechanism}, not one of ${mechanisms.join(', ')}`;
  }
  if (settings.logMode !== 'off' && !settings.logger)
    return `logMode is ${settings.logMode} without a logger; give one`;
  for (const [name, value] of Object.entries(settings)) {
    if (typeof value !== 'number') continue;
    if (!Number.isSafeInteger(value) || value < 1)
      return `${name} is ${value}, not an integer of 1 or more`;
  }
  if (settings.heartbeatIntervalMs * 2 > settings.sessionTimeoutMs) {
    const { heartbeatIntervalMs, sessionTimeoutMs } = settings;
    const half = `more than half of sessionTimeoutMs (${sessionTimeoutMs})`;
    return `heartbeatIntervalMs is ${heartbeatIntervalMs}, ${half}`;
  }
  return undefined;
}
