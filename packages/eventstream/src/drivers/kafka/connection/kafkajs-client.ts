/**
 * Clients of kafkajs as this driver uses them: with sockets that can be destroyed, log lines in the
 * application's logger, and two corrections of kafkajs (idle timers, OAUTHBEARER).
 *
 * The files of this folder:
 *
 * - kafka-options.ts: options of both Kafka drivers and their defaults
 * - kafka-errors.ts: errors of both client libraries translated to `PlatformError`
 * - kafkajs-client.ts: a client; kafkajs-log.ts: its log lines; kafkajs-internals.ts: what is used
 *   of it beyond its public API
 * - cluster-connection.ts: the connections over which records are written
 */

import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { PlatformError } from '@posthaste/contracts';
import {
  type ISocketFactory,
  Kafka,
  type KafkaConfig,
  logLevel,
  type Mechanism,
  type SASLOptions,
} from 'kafkajs';
import { Ipv6Names } from './broker-address.js';
import type { KafkaLogMode, KafkaSasl, KafkaSettings } from './kafka-options.js';
import { adaptClusters, stopIdleTimers } from './kafkajs-internals.js';
import { createLogWriter } from './kafkajs-log.js';

const keepAliveMs = 60_000;

/**
 * kafkajs retries for a few seconds by itself. After that its callers in this driver retry with a
 * new client, because a client of kafkajs does not recover from some of its states.
 */
const retry = { initialRetryTime: 100, maxRetryTime: 1_000, retries: 4 };

const logLevels: Readonly<Record<KafkaLogMode, logLevel>> = {
  off: logLevel.NOTHING,
  error: logLevel.ERROR,
  warn: logLevel.WARN,
  info: logLevel.INFO,
  debug: logLevel.DEBUG,
};

/** Separates the parts of a message of OAUTHBEARER. */
const oauthSeparator = '\u0001';
const lengthBytes = 4;

/** The open sockets of one client, destroyed at its end if kafkajs does not close them. */
export class OpenSockets {
  /** True when the client is being closed: the failures of its requests are expected then. */
  isEnding = false;
  readonly #sockets = new Set<Socket>();

  add(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  /** Destroys them with an error: only then does kafkajs reject the requests that wait on them. */
  destroy(): void {
    for (const socket of this.#sockets) socket.destroy(new Error('the client was closed'));
  }
}

/**
 * Creates a client of kafkajs without connecting it. Each consumer needs a client of its own:
 * consumers of one client that are in the same group clear each other's offsets.
 */
export function createKafkajsClient(settings: KafkaSettings, sockets?: OpenSockets): Kafka {
  const kafka = new Kafka(toKafkaConfig(settings, sockets));
  adaptClusters(kafka, stopIdleTimers);
  return kafka;
}

function toKafkaConfig(settings: KafkaSettings, sockets: OpenSockets | undefined): KafkaConfig {
  const { tls, sasl, dialTimeoutMs, readTimeoutMs, writeTimeoutMs } = settings;
  const names = new Ipv6Names();
  return {
    brokers: settings.brokers.map((broker) => names.toName(broker)),
    clientId: settings.clientId,
    connectionTimeout: dialTimeoutMs,
    authenticationTimeout: dialTimeoutMs,
    requestTimeout: Math.max(readTimeoutMs, writeTimeoutMs),
    retry,
    socketFactory: (target) => {
      const socket = openSocket({ ...target, host: names.toHost(target.host) });
      sockets?.add(socket);
      return socket;
    },
    logLevel: logLevels[settings.logMode],
    logCreator: () => createLogWriter(settings, () => sockets?.isEnding ?? false),
    ...(tls ? { ssl: tls } : {}),
    ...(sasl ? { sasl: toSaslOptions(sasl) } : {}),
  };
}

/** Opens a socket as kafkajs does, but sends small requests at once (no Nagle's algorithm). */
const openSocket: ISocketFactory = ({ host, port, ssl, onConnect }) => {
  const serverName = isIP(host) === 0 ? { servername: host } : {};
  const socket = ssl
    ? connectTls({ host, port, ...serverName, ...ssl }, onConnect)
    : connectTcp({ host, port }, onConnect);
  return socket.setKeepAlive(true, keepAliveMs).setNoDelay(true);
};

function toSaslOptions(sasl: KafkaSasl): NonNullable<KafkaConfig['sasl']> {
  if (sasl.mechanism === 'oauthbearer') return createOauthBearer(sasl.token);
  return { ...sasl } as SASLOptions;
}

/**
 * SASL OAUTHBEARER (RFC 7628). kafkajs has it, but does not read the broker's response: with a
 * refused token it goes on as if it were authenticated, and fails later with errors that do not
 * name the cause.
 *
 * Request => length: int32, "n,,", 0x01, "auth=Bearer ", token, 0x01, 0x01
 * Response => length: int32, the reason of a refusal; empty if the token is accepted
 */
function createOauthBearer(token: () => Promise<string>): Mechanism {
  return {
    mechanism: 'OAUTHBEARER',
    authenticationProvider: ({ saslAuthenticate }) => ({
      authenticate: async () => {
        const bearer = `auth=Bearer ${await token()}`;
        const message = ['n,,', bearer, '', ''].join(oauthSeparator);
        const refusal = await saslAuthenticate({
          request: { encode: () => withLength(Buffer.from(message)) },
          response: { decode: (raw) => raw.subarray(lengthBytes), parse: (data) => data },
        });
        if (!refusal || refusal.length === 0) return;
        throw new PlatformError('STREAM_UNAUTHORIZED', `Kafka refuses the token: ${refusal}`);
      },
    }),
  };
}

function withLength(message: Buffer): Buffer {
  const length = Buffer.alloc(lengthBytes);
  length.writeInt32BE(message.length);
  return Buffer.concat([length, message]);
}
