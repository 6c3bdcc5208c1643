import { type SharedKafka, sharedKafka } from '@posthaste/testbed';
import { describeWithKafka } from '@posthaste/testbed/vitest';
import { beforeAll, describe } from 'vitest';
import { clientFixtureOn } from './client-fixture.js';
import { testApplications } from './clients-and-applications.js';
import { testCloudEventsOfClients } from './clients-and-cloudevents.js';
import { testGo } from './clients-and-go.js';
import { testDeadLetters } from './clients-dead-letters.js';
import { testFailing } from './clients-failing.js';
import { testGroupsOfClients } from './clients-in-groups.js';
import { testTransactions } from './clients-transactions.js';
import { kafkaClients, kafkaTarget } from './kafka-clients.js';
import { testKilled } from './killed-consumer.js';

describeWithKafka('a client on Kafka', { timeout: 60_000 }, () => {
  let kafka: SharedKafka;
  beforeAll(async () => {
    kafka = await sharedKafka();
  }, 240_000);

  const brokers = (): string[] => kafka.brokers;
  // They run at the same time, since most of it is waiting.
  describe.concurrent.each(kafkaClients)('through $name', ({ name, open }) => {
    const start = clientFixtureOn(() => kafkaTarget(kafka.brokers, open));
    testFailing(start);
    testApplications(start);
    testDeadLetters(start, brokers);
    testTransactions(start, brokers);
    testGroupsOfClients(start);
    testGo(start);
    testCloudEventsOfClients(start, brokers);
    testKilled(start, { stream: name, brokers });
  });
});
