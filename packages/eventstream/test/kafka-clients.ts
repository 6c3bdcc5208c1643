import type { Client } from '../src/client/client.js';
import type { ClientOptions, KafkaConfig } from '../src/client/client-config.js';
import { createClient, createClientOn } from '../src/client/create-client.js';
import { createKafkaDriver } from '../src/drivers/kafka/kafkajs-driver.js';
import { createPlatformaticDriver } from '../src/drivers/platformatic/platformatic-driver.js';
import { type ClientTarget, prefix } from './client-fixture.js';
import { append, createTopic } from './kafka-topic.js';

type OpenClient = (
  brokers: string[],
  options: ClientOptions,
  kafka: KafkaConfig,
) => Promise<Client>;

/** Opens a client on either driver, as a user does. */
export const kafkaClients: readonly { readonly name: string; readonly open: OpenClient }[] = [
  {
    name: 'kafkajs',
    open: (brokers, options, kafka) =>
      createClient(prefix, 'kafka', brokers, { ...options, ...kafka }),
  },
  {
    name: '@platformatic/kafka',
    open: async (brokers, options, kafka) =>
      createClientOn(prefix, createPlatformaticDriver({ brokers, ...kafka }), options),
  },
];

export function kafkaTarget(brokers: string[], open: OpenClient): ClientTarget {
  return {
    open: (options, kafka) => open(brokers, options, kafka),
    createTopic: (topic, numPartitions) => createTopic(brokers, { topic, numPartitions }),
    async append(topic, values) {
      const driver = createKafkaDriver({ brokers });
      await append(driver, topic, values);
      await driver.close();
    },
  };
}
