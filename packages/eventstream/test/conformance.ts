import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, vi } from 'vitest';
import type { Driver } from '../src/driver.js';
import { testAppending } from './conformance-appending.js';
import { testCloudEvents } from './conformance-cloudevents.js';
import { testConsuming } from './conformance-consuming.js';
import { testGroups } from './conformance-groups.js';
import { testMembers } from './conformance-members.js';
import { testReading } from './conformance-reading.js';
import type { Conformance, ConformanceTarget } from './conformance-target.js';

/** Registers the tests that every driver must pass, in the surrounding suite. */
export function testDriver(open: () => Promise<ConformanceTarget>): void {
  let target: ConformanceTarget;
  const drivers: Driver[] = [];
  beforeAll(async () => {
    target = await open();
  }, 60_000);
  afterEach(async () => {
    await Promise.all(drivers.splice(0).map((driver) => driver.close()));
  });
  afterAll(() => target?.close());
  const conformance: Conformance = {
    async connect() {
      const driver = await target.connect();
      drivers.push(driver);
      return driver;
    },
    async topic(partitions, topic = `t-${randomUUID()}`) {
      await target.createTopic(topic, partitions);
      return topic;
    },
    until: (assertion) => vi.waitFor(assertion, { timeout: target.settleMs, interval: 10 }),
  };
  describe('appending', () => testAppending(conformance, () => target));
  describe('reading', () => testReading(conformance, () => target));
  describe('groups', () => testGroups(conformance));
  describe('consumers on it', () => {
    testConsuming(conformance);
    testMembers(conformance);
    testCloudEvents(conformance);
  });
}
