import type { KafkaBroker } from '@posthaste/testbed';
import { afterAll, afterEach, beforeAll } from 'vitest';
import type { Driver, DriverSubscription, SubscriptionRequest } from '../src/driver.js';
import type { KafkaDriverOptions } from '../src/drivers/kafka/connection/kafka-options.js';
import type { kafkaDrivers } from './kafka-drivers.js';
import { RecordingHandler } from './recording-handler.js';

export const waitOptions = { timeout: 15_000, interval: 20 };

/** A broker and drivers for the tests of one Kafka driver. */
export interface DriverFixture {
  readonly brokers: string[];
  /** A driver that all tests share. */
  readonly driver: Driver;
  /** Opens a driver that is closed after the test. */
  open(options?: Partial<KafkaDriverOptions>): Driver;
  /** Subscribes. Default: with a handler that only records, on the shared driver. */
  read(
    request: SubscriptionRequest,
    handler?: RecordingHandler,
    from?: Driver,
  ): { handler: RecordingHandler; subscription: DriverSubscription };
}

/** Registers hooks that open and close the drivers in the suite that is being described. */
export function useDriverFixture(
  kafka: () => KafkaBroker,
  create: (typeof kafkaDrivers)[number]['create'],
): DriverFixture {
  const opened: Driver[] = [];
  let driver: Driver;
  beforeAll(() => {
    driver = create({ brokers: kafka().brokers });
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((one) => one.close()));
  });
  afterAll(() => driver.close());
  return {
    get brokers() {
      return kafka().brokers;
    },
    get driver() {
      return driver;
    },
    open(options = {}) {
      const one = create({ brokers: kafka().brokers, ...options });
      opened.push(one);
      return one;
    },
    read: (request, handler = new RecordingHandler(), from = driver) => ({
      handler,
      subscription: from.subscribe(request, handler),
    }),
  };
}
