import type { Driver } from '../../driver.js';
import { ClusterConnection } from './connection/cluster-connection.js';
import { type KafkaDriverOptions, resolveKafkaOptions } from './connection/kafka-options.js';
import { loadKafkajsInternals } from './connection/kafkajs-internals.js';
import { KafkaDriver } from './kafka-driver.js';
import { KafkajsAdmin } from './kafkajs-admin.js';
import { KafkajsSession } from './kafkajs-session.js';
import { KafkajsWriter } from './produce/kafkajs-writer.js';

/**
 * Creates a driver for Kafka through kafkajs. It connects when it is used. Other clients of kafkajs
 * in the process are not affected.
 * @throws PlatformError `OPTION_INVALID`; `INTERNAL` if another kafkajs than 2.2.4 is installed
 * that lacks what the driver uses of it
 */
export function createKafkaDriver(options: KafkaDriverOptions): Driver {
  const settings = resolveKafkaOptions(options);
  const internals = loadKafkajsInternals();
  const connection = new ClusterConnection(settings);
  // Creates the objects of kafkajs that append, without connecting: this checks their internals.
  connection.get();
  const writer = new KafkajsWriter({ settings, connection, internals });
  const admin = new KafkajsAdmin(settings);
  return new KafkaDriver(settings, {
    partitionCount: (topic) => writer.partitionCount(topic),
    append: (request) => writer.append(request),
    createSession: (context) => new KafkajsSession(settings, context),
    lag: (topic, groupId) => admin.lag(topic, groupId),
    ping: () => admin.ping(),
    close: async () => {
      await Promise.all([connection.close(), admin.close()]);
    },
  });
}
