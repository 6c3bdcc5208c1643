import type { Driver } from '../src/driver.js';
import type { KafkaDriverOptions } from '../src/drivers/kafka/connection/kafka-options.js';
import { createKafkaDriver } from '../src/drivers/kafka/kafkajs-driver.js';
import { createPlatformaticDriver } from '../src/drivers/platformatic/platformatic-driver.js';

/** Every driver that speaks to Kafka: what they must do is the same. */
export const kafkaDrivers: readonly {
  readonly name: string;
  readonly create: (options: KafkaDriverOptions) => Driver;
}[] = [
  { name: 'kafkajs', create: createKafkaDriver },
  { name: '@platformatic/kafka', create: createPlatformaticDriver },
];
