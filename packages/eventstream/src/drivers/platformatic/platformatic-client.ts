import { isIP } from 'node:net';
import {
  AuthenticationError,
  type Base,
  type BaseOptions,
  type ClusterTopicMetadata,
  type MetadataOptions,
  SASLMechanisms,
  type SASLMechanismValue,
} from '@platformatic/kafka';
import { PlatformError, settlesWithin } from '@posthaste/contracts';
import { parseBroker } from '../kafka/connection/broker-address.js';
import type { KafkaSasl, KafkaSettings } from '../kafka/connection/kafka-options.js';

const closeTimeoutMs = 2_000;

const mechanisms: Readonly<Record<KafkaSasl['mechanism'], SASLMechanismValue>> = {
  plain: SASLMechanisms.PLAIN,
  'scram-sha-256': SASLMechanisms.SCRAM_SHA_256,
  'scram-sha-512': SASLMechanisms.SCRAM_SHA_512,
  oauthbearer: SASLMechanisms.OAUTHBEARER,
};

/** The methods that every client of the library has. */
type Client = Pick<Base, 'metadata' | 'close'>;

/** Returns the options of every client of the library. It does not retry by itself. */
export function toClientOptions(settings: KafkaSettings): BaseOptions {
  const { tls, sasl, dialTimeoutMs, readTimeoutMs, writeTimeoutMs } = settings;
  const hasNames = settings.brokers.some((broker) => isIP(parseBroker(broker)?.host ?? '') === 0);
  return {
    clientId: settings.clientId,
    bootstrapBrokers: [...settings.brokers],
    connectTimeout: dialTimeoutMs,
    requestTimeout: Math.max(readTimeoutMs, writeTimeoutMs),
    timeout: writeTimeoutMs,
    retries: 0,
    metadataMaxAge: settings.topicRefreshMs,
    autocreateTopics: false,
    ...(tls ? { tls, tlsServerName: tls.servername ?? hasNames } : {}),
    ...(sasl ? { sasl: toSasl(sasl) } : {}),
  };
}

/**
 * Reads the metadata of a topic, from the cache of the client unless `options` force an update.
 * @throws PlatformError `TOPIC_NOT_FOUND`, or an error of the library
 */
export async function readTopic(
  client: Client,
  topic: string,
  options: MetadataOptions = {},
): Promise<ClusterTopicMetadata> {
  const toMissingError = (cause?: unknown): PlatformError =>
    new PlatformError('TOPIC_NOT_FOUND', `topic ${topic} does not exist`, { cause });
  try {
    const found = (await client.metadata({ ...options, topics: [topic] })).topics.get(topic);
    if (found) return found;
  } catch (error) {
    // The library takes an unknown topic for a mistake of its user, and gives no other reason.
    if ((error as { readonly code?: unknown }).code === 'PLT_KFK_USER') throw toMissingError(error);
    throw error;
  }
  throw toMissingError();
}

/** Closes a client, or leaves it to its timeouts if that takes long. Never rejects. */
export async function closeWithin(client: Client): Promise<void> {
  await settlesWithin(client.close(), closeTimeoutMs);
}

function toSasl(sasl: KafkaSasl): NonNullable<BaseOptions['sasl']> {
  const mechanism = mechanisms[sasl.mechanism];
  if (sasl.mechanism === 'oauthbearer') {
    return { mechanism, token: sasl.token, authBytesValidator: refuseResponse };
  }
  return { mechanism, username: sasl.username, password: sasl.password };
}

/** Brokers answer an accepted token with nothing, and a refused one with the reason. */
const refuseResponse: NonNullable<NonNullable<BaseOptions['sasl']>['authBytesValidator']> = (
  response,
  callback,
) => {
  if (response.length === 0) callback(null, response);
  else callback(new AuthenticationError(`Kafka refuses the token: ${response}`), response);
};
