import type { Driver } from '../../driver.js';
import { type KafkaDriverOptions, resolveKafkaOptions } from '../kafka/connection/kafka-options.js';
import { KafkaDriver } from '../kafka/kafka-driver.js';
import { PlatformaticAdmin } from './platformatic-admin.js';
import { PlatformaticSession } from './platformatic-session.js';
import { PlatformaticWriter } from './platformatic-writer.js';

/**
 * Kafka, through @platformatic/kafka, an optional peer dependency: install it beside this package, on
 * Node 22.22, 24.6 or newer. Nothing is connected before it is needed. `logMode` has no effect: the
 * library writes no log.
 * @throws PlatformError `OPTION_INVALID`
 */
export function createPlatformaticDriver(options: KafkaDriverOptions): Driver {
  const settings = resolveKafkaOptions(options);
  const writer = new PlatformaticWriter(settings);
  const observer = new PlatformaticAdmin(settings);
  return new KafkaDriver({
    partitionCount: (topic) => writer.partitionCount(topic),
    append: (request) => writer.append(request),
    createSession: (request, handler, memory) =>
      new PlatformaticSession({ settings, request, handler, memory }),
    lag: (topic, groupId) => observer.lag(topic, groupId),
    ping: () => observer.ping(),
    close: async () => {
      await Promise.all([writer.close(), observer.close()]);
    },
  });
}
