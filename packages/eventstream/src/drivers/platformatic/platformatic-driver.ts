/**
 * Kafka through @platformatic/kafka: the way out of kafkajs, which is no longer developed
 * (docs/decisions/0008). Options, errors, subscriptions and assignments are those of ../kafka.
 *
 * - Appending: platformatic-writer.ts.
 * - Consuming: platformatic-session.ts joins the group with the library's consumer, and
 *   partition-fetcher.ts fetches records, which platformatic-record.ts converts.
 * - Committing: platformatic-group.ts has the requests of a generation, and the assignor.
 * - Lag and health: platformatic-admin.ts.
 */

import type { Driver } from '../../driver.js';
import { type KafkaDriverOptions, resolveKafkaOptions } from '../kafka/connection/kafka-options.js';
import { KafkaDriver } from '../kafka/kafka-driver.js';
import { PlatformaticAdmin } from './platformatic-admin.js';
import { PlatformaticSession } from './platformatic-session.js';
import { PlatformaticWriter } from './platformatic-writer.js';

/**
 * Creates a driver for Kafka through @platformatic/kafka, an optional peer dependency: install it
 * beside this package, on Node 22.22, 24.6 or newer. The driver connects when it is used. `logMode`
 * has no effect: the library writes no log.
 * @throws PlatformError `OPTION_INVALID`
 */
export function createPlatformaticDriver(options: KafkaDriverOptions): Driver {
  const settings = resolveKafkaOptions(options);
  const writer = new PlatformaticWriter(settings);
  const admin = new PlatformaticAdmin(settings);
  return new KafkaDriver(settings, {
    partitionCount: (topic) => writer.partitionCount(topic),
    append: (request) => writer.append(request),
    createSession: (context) => new PlatformaticSession(settings, context),
    lag: (topic, groupId) => admin.lag(topic, groupId),
    ping: () => admin.ping(),
    close: async () => {
      await Promise.all([writer.close(), admin.close()]);
    },
  });
}
