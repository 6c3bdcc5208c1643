import type { Driver } from '../src/driver.js';
import type { KafkaDriverOptions } from '../src/drivers/kafka/connection/kafka-options.js';
import { createKafkaDriver } from '../src/drivers/kafka/kafkajs-driver.js';
import { createPlatformaticDriver } from '../src/drivers/platformatic/platformatic-driver.js';

/** Both drivers for Kafka. Every test of one runs on the other, too. */
export const kafkaDrivers: readonly {
  readonly name: string;
  readonly create: (options: KafkaDriverOptions) => Driver;
}[] = [
  { name: 'kafkajs', create: createKafkaDriver },
  { name: '@platformatic/kafka', create: createPlatformaticDriver },
];
