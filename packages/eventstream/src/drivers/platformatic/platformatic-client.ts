import { isIP } from 'node:net';
import {
  AuthenticationError,
  type BaseOptions,
  SASLMechanisms,
  type SASLMechanismValue,
} from '@platformatic/kafka';
import type { KafkaSasl, KafkaSettings } from '../kafka/connection/kafka-options.js';

const mechanisms: Readonly<Record<KafkaSasl['mechanism'], SASLMechanismValue>> = {
  plain: SASLMechanisms.PLAIN,
  'scram-sha-256': SASLMechanisms.SCRAM_SHA_256,
  'scram-sha-512': SASLMechanisms.SCRAM_SHA_512,
  oauthbearer: SASLMechanisms.OAUTHBEARER,
};

/** The settings as every client of the library takes them. It tries nothing again by itself. */
export function toClientOptions(settings: KafkaSettings): BaseOptions {
  const { tls, sasl, dialTimeoutMs, readTimeoutMs, writeTimeoutMs } = settings;
  const hasNames = settings.brokers.some((broker) => isIP(broker.replace(/:\d+$/, '')) === 0);
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

function toSasl(sasl: KafkaSasl): NonNullable<BaseOptions['sasl']> {
  const mechanism = mechanisms[sasl.mechanism];
  if (sasl.mechanism === 'oauthbearer') {
    return { mechanism, token: sasl.token, authBytesValidator: refuseAnswer };
  }
  return { mechanism, username: sasl.username, password: sasl.password };
}

/** Brokers answer nothing to a token that they take, and tell the reason else. */
const refuseAnswer: NonNullable<NonNullable<BaseOptions['sasl']>['authBytesValidator']> = (
  answer,
  callback,
) => {
  if (answer.length === 0) callback(null, answer);
  else callback(new AuthenticationError(`Kafka refuses the token: ${answer}`), answer);
};
