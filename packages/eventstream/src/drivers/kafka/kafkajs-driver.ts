import type { Driver } from '../../driver.js';
import { ClusterConnection } from './connection/cluster-connection.js';
import { type KafkaDriverOptions, resolveKafkaOptions } from './connection/kafka-options.js';
import { loadKafkajsInternals } from './connection/kafkajs-internals.js';
import { KafkaDriver } from './kafka-driver.js';
import { KafkajsAdmin } from './kafkajs-admin.js';
import { KafkajsSession } from './kafkajs-session.js';
import { KafkajsWriter } from './produce/kafkajs-writer.js';

/**
 * Kafka, through kafkajs. Nothing is connected before it is needed.
 * @throws PlatformError `OPTION_INVALID`; `INTERNAL` when another kafkajs than 2.2.4 is installed,
 *   which lacks what is used of it
 */
export function createKafkaDriver(options: KafkaDriverOptions): Driver {
  const settings = resolveKafkaOptions(options);
  const internals = loadKafkajsInternals();
  const connection = new ClusterConnection(settings);
  const writer = new KafkajsWriter({ settings, connection, internals });
  const observer = new KafkajsAdmin(settings);
  return new KafkaDriver({
    partitionCount: (topic) => writer.partitionCount(topic),
    append: (request) => writer.append(request),
    createSession: (request, handler, memory) =>
      new KafkajsSession({ settings, request, handler, memory }),
    lag: (topic, groupId) => observer.lag(topic, groupId),
    ping: () => observer.ping(),
    close: async () => {
      await Promise.all([connection.close(), observer.close()]);
    },
  });
}
