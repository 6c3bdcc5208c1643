import type { SharedKafka } from '@posthaste/testbed';
import { afterAll, beforeAll, test } from 'vitest';
import type { Driver, DriverSubscription, SubscriptionRequest } from '../src/driver.js';
import type { KafkaDriverOptions } from '../src/drivers/kafka/connection/kafka-options.js';
import type { kafkaDrivers } from './kafka-drivers.js';
import { RecordingHandler } from './recording-handler.js';

export const waitOptions = { timeout: 30_000, interval: 20 };

/** Opens a driver that is closed after the test. */
type OpenDriver = (options?: Partial<KafkaDriverOptions>) => Driver;

/** A broker and drivers for the tests of one Kafka driver. */
export interface DriverFixture {
  readonly brokers: string[];
  /** A driver that all tests share. */
  readonly driver: Driver;
  /** `it`, whose tests can open drivers of their own. */
  readonly it: ReturnType<typeof toTest>;
  /** Subscribes. Default: with a handler that only records, on the shared driver. */
  read(
    request: SubscriptionRequest,
    handler?: RecordingHandler,
    from?: Driver,
  ): { handler: RecordingHandler; subscription: DriverSubscription };
}

/** Registers hooks that open and close the drivers in the suite that is being described. */
export function useDriverFixture(
  kafka: () => SharedKafka,
  create: (typeof kafkaDrivers)[number]['create'],
): DriverFixture {
  let driver: Driver;
  beforeAll(() => {
    driver = create({ brokers: kafka().brokers });
  });
  afterAll(() => driver.close());
  return {
    it: toTest((options) => create({ brokers: kafka().brokers, ...options })),
    get brokers() {
      return kafka().brokers;
    },
    get driver() {
      return driver;
    },
    read: (request, handler = new RecordingHandler(), from = driver) => ({
      handler,
      subscription: from.subscribe(request, handler),
    }),
  };
}

function toTest(create: OpenDriver) {
  return test.extend('open', ({ onTestFinished }): OpenDriver => {
    const opened: Driver[] = [];
    onTestFinished(async () => {
      await Promise.all(opened.map((one) => one.close()));
    });
    return (options) => {
      const one = create(options);
      opened.push(one);
      return one;
    };
  });
}
