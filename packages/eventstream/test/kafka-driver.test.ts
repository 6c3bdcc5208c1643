import { type SharedKafka, sharedKafka } from '@posthaste/testbed';
import { describeWithKafka } from '@posthaste/testbed/vitest';
import { beforeAll, describe } from 'vitest';
import { testClosing } from './kafka-driver-closing.js';
import { useDriverFixture } from './kafka-driver-fixture.js';
import { testGroup } from './kafka-driver-groups.js';
import { testRecords } from './kafka-driver-records.js';
import { testStarts } from './kafka-driver-starts.js';
import { testTopics } from './kafka-driver-topics.js';
import { kafkaDrivers } from './kafka-drivers.js';

describeWithKafka('the Kafka driver', { timeout: 60_000 }, () => {
  let kafka: SharedKafka;
  beforeAll(async () => {
    kafka = await sharedKafka();
  }, 240_000);

  // They run at the same time, since most of it is waiting.
  describe.concurrent.each(kafkaDrivers)('on $name', ({ create }) => {
    const fixture = useDriverFixture(() => kafka, create);
    describe('records', () => testRecords(fixture));
    describe('topics', () => testTopics(fixture));
    describe('reading starts', () => testStarts(fixture));
    describe('a group', () => testGroup(fixture));
    describe('closing', () => testClosing(fixture));
  });
});
