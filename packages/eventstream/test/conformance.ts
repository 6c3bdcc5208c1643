import { afterAll, beforeAll, describe } from 'vitest';
import { testAppending } from './conformance-appending.js';
import { testCloudEvents } from './conformance-cloudevents.js';
import { testConsuming } from './conformance-consuming.js';
import { testGroups } from './conformance-groups.js';
import { testMembers } from './conformance-members.js';
import { testReading } from './conformance-reading.js';
import { type ConformanceTarget, conformanceTest } from './conformance-target.js';

/**
 * Registers the tests that every driver must pass, in the surrounding suite. They may run at the same
 * time: each has connections, topics and groups of its own.
 */
export function testDriver(open: () => Promise<ConformanceTarget>): void {
  let target: ConformanceTarget;
  beforeAll(async () => {
    target = await open();
  }, 60_000);
  afterAll(() => target?.close());
  const it = conformanceTest(() => target);
  describe('appending', () => testAppending(it, () => target));
  describe('reading', () => testReading(it, () => target));
  describe('groups', () => testGroups(it));
  describe('consumers on it', () => {
    testConsuming(it);
    testMembers(it);
    testCloudEvents(it);
  });
}
