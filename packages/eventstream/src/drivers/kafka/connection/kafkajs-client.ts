import { connect as connectTcp, isIP } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type ISocketFactory, Kafka, type KafkaConfig, logLevel, type SASLOptions } from 'kafkajs';
import { registerCodecs } from '../wire/codecs.js';
import type { KafkaLogMode, KafkaSasl, KafkaSettings } from './kafka-options.js';
import { oauthBearer } from './oauth-bearer.js';
import type { OpenSockets } from './open-sockets.js';

const keepAliveMs = 60_000;

/**
 * kafkajs tries again by itself, for a few seconds; what is still wrong then is tried again above
 * it, with new clients, because some of its states are not left otherwise.
 */
const retry = { initialRetryTime: 100, maxRetryTime: 1_000, retries: 4 };

const levels: Readonly<Record<KafkaLogMode, logLevel>> = {
  off: logLevel.NOTHING,
  error: logLevel.ERROR,
  warn: logLevel.WARN,
  info: logLevel.INFO,
  debug: logLevel.DEBUG,
};

/**
 * A kafkajs client; nothing is connected yet. Each consumer needs one of its own: those of one
 * client that share a group clear one another's offsets.
 */
export function createKafkajsClient(settings: KafkaSettings, sockets?: OpenSockets): Kafka {
  registerCodecs();
  return new Kafka(toKafkaConfig(settings, sockets));
}

function toKafkaConfig(settings: KafkaSettings, sockets: OpenSockets | undefined): KafkaConfig {
  const { tls, sasl, dialTimeoutMs, readTimeoutMs, writeTimeoutMs } = settings;
  return {
    brokers: [...settings.brokers],
    clientId: settings.clientId,
    connectionTimeout: dialTimeoutMs,
    authenticationTimeout: dialTimeoutMs,
    requestTimeout: Math.max(readTimeoutMs, writeTimeoutMs),
    retry,
    socketFactory: (target) => {
      const socket = openSocket(target);
      sockets?.add(socket);
      return socket;
    },
    logLevel: levels[settings.logMode],
    logCreator: () => (entry) => writeLog(settings, entry),
    ...(tls ? { ssl: tls } : {}),
    ...(sasl ? { sasl: toSaslOptions(sasl) } : {}),
  };
}

function toSaslOptions(sasl: KafkaSasl): NonNullable<KafkaConfig['sasl']> {
  if (sasl.mechanism === 'oauthbearer') return oauthBearer(sasl.token);
  return { ...sasl } as SASLOptions;
}

/** As kafkajs's own, but small requests are sent at once and not after the last one's answer. */
const openSocket: ISocketFactory = ({ host, port, ssl, onConnect }) => {
  const serverName = isIP(host) === 0 ? { servername: host } : {};
  const socket = ssl
    ? connectTls({ host, port, ...serverName, ...ssl }, onConnect)
    : connectTcp({ host, port }, onConnect);
  return socket.setKeepAlive(true, keepAliveMs).setNoDelay(true);
};

function writeLog(
  { logger }: KafkaSettings,
  { level, log }: { level: logLevel; log: { message: string } },
): void {
  const { message, ...details } = log;
  if (level === logLevel.ERROR) logger?.error(details, message);
  else if (level === logLevel.WARN) logger?.warn(details, message);
  else if (level === logLevel.INFO) logger?.info(details, message);
  else logger?.debug(details, message);
}
